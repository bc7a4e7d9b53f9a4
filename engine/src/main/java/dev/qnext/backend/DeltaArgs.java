package dev.qnext.backend;

/** Gated delta net: the sizes and small weights of {@link Backend#deltaNet}. */
public record DeltaArgs(
    StateShape.Delta shape, Weight conv1d, Weight aLog, Weight dtBias, Weight norm, float eps) {}
