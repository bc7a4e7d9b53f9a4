/**
 * A small typed face over mlx-c: arrays with an owner, errors as exceptions, and only the calls
 * that a backend needs. What MLX itself computes is described in its own documentation under the
 * same names.
 */
@org.jspecify.annotations.NullMarked
package dev.qnext.mlx.face;
