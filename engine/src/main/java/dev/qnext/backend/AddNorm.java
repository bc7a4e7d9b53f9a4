package dev.qnext.backend;

/** The residual stream after a sum, and its RMS norm. */
public record AddNorm(Tensor residual, Tensor normed) {}
