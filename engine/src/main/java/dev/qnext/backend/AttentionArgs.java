package dev.qnext.backend;

/** Gated full attention: the sizes and small weights of {@link Backend#attention}. */
public record AttentionArgs(
    int heads, int kvHeads, int headDim, Rope rope, Weight qNorm, Weight kNorm, float eps) {}
