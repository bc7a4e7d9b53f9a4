/**
 * The seam over MLX. Every operation builds a piece of a lazy graph; what the model needs between
 * two tokens is one graph, started at once. One file per operation, as in the reference backend.
 */
@org.jspecify.annotations.NullMarked
package dev.qnext.mlx;
