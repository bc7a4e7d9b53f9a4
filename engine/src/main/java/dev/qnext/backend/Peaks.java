package dev.qnext.backend;

/**
 * What a machine can do at best when it does nothing else, measured with all threads that a backend
 * computes with, all at once: limits to hold a model's speed against.
 *
 * @param threads that compute
 * @param readBytesPerSecond reading memory in order, far more than any cache holds
 * @param int8PerSecond multiplications of 8-bit numbers, each with its addition
 * @param f32PerSecond multiplications of f32 numbers, each with its addition
 */
public record Peaks(
    int threads, double readBytesPerSecond, double int8PerSecond, double f32PerSecond) {}
