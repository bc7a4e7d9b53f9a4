/*
 * The arithmetic of a layer on one thread, but for products with weights: one table per instruction
 * set, written once in kernels/ on sixteen lanes (lanes/plain.h), so with the same bits. What is
 * made of them, and on which threads, is in elements.c, attention.c and delta.c.
 *
 * Sums over n numbers ("dot") have one order: four vectors of sixteen lanes take turns, v[i] = fma
 * of the numbers 64 c + 16 i + l in order; then (v[0] + v[2]) + (v[1] + v[3]), then lanes pairwise.
 * All other sums are chains of fma in the order of their index.
 */
#ifndef QNEXT_LAYER_H
#define QNEXT_LAYER_H

#include <stddef.h>
#include <stdint.h>

/* f16 positions of a cache tile: 16 lanes of keys, four times. */
#define QN_TILE 64

struct qn_delta_run;

struct qn_layer_kernels {
  /* -- kernels/elements.c: one row each, of n numbers -- */

  /* See qn_add_norm. */
  void (*add_norm)(int32_t n, const float *residual, const float *delta, const float *weight, float eps,
                   float *sum, float *normed);

  /* out = silu(gate) * up; out may be one of them. */
  void (*swiglu)(int32_t n, const float *gate, const float *up, float *out);

  /* out = sigmoid(x); out may be x. */
  void (*sigmoid)(int32_t n, const float *x, float *out);

  /* out[i] = sum over c < count of weights[c] * x[c * stride + i], in the order of c. */
  void (*weighted_sum)(int32_t n, int32_t count, const float *x, int64_t stride, const float *weights,
                       float *out);

  /*
   * The k largest of n: keys, the largest first. A key orders by the number, then by the lower
   * index; see qn_key. Indices count from "from".
   */
  void (*top)(int32_t n, const float *x, int32_t from, int32_t k, int64_t *keys);

  /* max(x), and the sum of exp(x - max). */
  void (*softmax_sum)(int32_t n, const float *x, float *max, float *sum);

  /* out = exp(x - max) / sum; out may be x. */
  void (*softmax)(int32_t n, const float *x, float max, float sum, float *out);
};

#endif
