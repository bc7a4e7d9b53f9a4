/*
 * The arithmetic of a layer on one thread, but for products with weights: one table per instruction
 * set, written once in kernels/ on sixteen lanes (lanes/plain.h), so with the same bits. What is
 * made of them, and on which threads, is in elements.c, attention.c and delta.c.
 *
 * "Dot" below is a sum of products in one order: four vectors of sixteen lanes take turns, vector i
 * adding the products 64 c + 16 i + lane by fma in the order of c; then (v0 + v2) + (v1 + v3), then
 * the lanes pairwise. All other sums are chains of fma in the order of their index.
 */
#ifndef QNEXT_LAYER_H
#define QNEXT_LAYER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define QN_LANES 16

/* n numbers fill so many in whole vectors. */
static inline int32_t qn_whole_lanes(int32_t n) { return (n + QN_LANES - 1) / QN_LANES * QN_LANES; }

/*
 * Orders numbers, the lower index first among equals: the float's bits made monotonic above, the
 * index's complement below. All NaNs are one, above infinity; -0 is 0. As Sampling.key.
 */
static inline int64_t qn_key(float x, int32_t index) {
  x += 0.0f;
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits = x != x ? 0x7FC00000 : bits < 0 ? bits ^ 0x7FFFFFFF : bits;
  return (int64_t)((uint64_t)(uint32_t)bits << 32 | (uint32_t)~index);
}

static inline int32_t qn_key_index(int64_t key) { return (int32_t) ~(uint32_t)key; }

static inline float qn_key_number(int64_t key) {
  int32_t bits = (int32_t)(key >> 32);
  bits = bits < 0 ? bits ^ 0x7FFFFFFF : bits;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/*
 * Keys and values of one head come in tiles of 64 positions, f16: keys [4, head_dim, 16 positions],
 * then values [head_dim / 16 rounded up, 64 positions, 16]. Both are read in the order in which
 * they lie, and no sum crosses lanes.
 */
#define QN_TILE 64

static inline int64_t qn_tile_numbers(int32_t head_dim) {
  return (int64_t)QN_TILE * (head_dim + qn_whole_lanes(head_dim));
}

/* Queries of one key/value head against some consecutive tiles. A row is a token's query head. */
struct qn_attend_tiles {
  int32_t head_dim;
  int32_t tokens;
  int32_t group;         /* query heads of the key/value head */
  int32_t first;         /* position of the first token */
  int32_t tiles_first;   /* position of the first tile's first key */
  int32_t tiles;
  const uint16_t *cache; /* the tiles, one behind the other */
  const uint16_t *next;  /* the tile that this thread will probably read after them, or NULL */
  const float *queries;  /* [tokens * group, head_dim], times 1 / sqrt(head_dim) */
  float *scores;         /* scratch: [tokens * group, QN_TILE] */
  float *factors;        /* scratch: [tokens * group in whole lanes] */
  /* Results: per row the largest score, the sum of weights relative to it, and the weighted sum of
   * values [head_dim in whole lanes]; -infinity, 0, 0 for rows that see nothing here. The arrays of
   * one number per row have whole lanes. */
  float *max;
  float *sum;
  float *values;
};

struct qn_layer_kernels {
  /* -- kernels/elements.c: one row each, of n numbers -- */

  float (*dot)(int32_t n, const float *a, const float *b);

  /* See qn_add_norm; the mean is of a dot. */
  void (*add_norm)(int32_t n, const float *residual, const float *delta, const float *weight, float eps,
                   float *sum, float *normed);

  /* out = silu(gate) * up; out may be one of them. */
  void (*swiglu)(int32_t n, const float *gate, const float *up, float *out);

  /* out = sigmoid(x); out may be x. */
  void (*sigmoid)(int32_t n, const float *x, float *out);

  /* out[i] = sum over c < count of weights[c] * x[rows[c] * stride + i]. */
  void (*weighted_sum)(int32_t n, int32_t count, const float *x, int64_t stride, const int32_t *rows,
                       const float *weights, float *out);

  /*
   * The k largest of n numbers whose indices count from "from", added to keys [k], the largest
   * first, of which "held" are there; returns how many are there then.
   */
  int32_t (*top)(int32_t n, const float *x, int32_t from, int32_t k, int32_t held, int64_t *keys);

  /* The sum of exp(x - max), lane by lane, then pairwise. */
  float (*exponential_sum)(int32_t n, const float *x, float max);

  /* out = exp(x - max); out may be x. */
  void (*exponentials)(int32_t n, const float *x, float max, float *out);

  /* -- kernels/attention.c -- */

  /*
   * out = x / sqrt(mean(x^2) + eps) * weight, its first 2 * half numbers turned in pairs
   * (i, i + half), all times scale.
   */
  void (*norm_and_turn)(int32_t n, const float *x, const float *weight, float eps, int32_t half,
                        const float *cos, const float *sin, float scale, float *out);

  /* Writes a key and a value to their place in a tile. */
  void (*append)(int32_t head_dim, const float *key, const float *value, int32_t place, uint16_t *tile);

  void (*attend)(const struct qn_attend_tiles *run);

  /*
   * Adds what a row found in some tiles to what it found before them: max, sum and values [n] as
   * above, n in whole lanes.
   */
  void (*join)(int32_t n, float max, float sum, const float *values, float *to_max, float *to_sum,
               float *to_values);

  /* out = values / sum * sigmoid(gate) */
  void (*gate)(int32_t n, const float *values, float sum, const float *gate, float *out);

  /* -- kernels/delta.c -- */

  /* Blocks of 16 value rows that a step takes together: the layout of the state, see delta.c. */
  int32_t delta_blocks;

  /*
   * out = silu of the sum over taps of weights[tap * stride + i] * rows[tap][i]. rows[0] is the
   * oldest.
   */
  void (*convolve)(int32_t n, int32_t taps, const float *const *rows, const float *weights, int64_t stride,
                   float *out);

  /* x = x / sqrt(dot(x, x) + 1e-6) * factor */
  void (*l2_norm)(int32_t n, float factor, float *x);

  /* beta = sigmoid(b), decay = exp(-exp(a_log) * softplus(a + dt_bias)), for n value heads. */
  void (*decays)(int32_t n, const float *b, const float *a, const float *a_log, const float *dt_bias,
                 float *beta, float *decay);

  /*
   * On one group of value rows, "blocks" <= delta_blocks vectors wide, state S [key_dim, 16 blocks]:
   * first, unless add_k is NULL, to = decay * from + add_k add_delta^T, as fma of the product; then,
   * unless k is NULL, sk = S^T k and sq = S^T q, chains over key_dim.
   */
  void (*delta_step)(int32_t key_dim, int32_t blocks, const float *from, float *to, float decay,
                     const float *add_k, const float *add_delta, const float *k, const float *q, float *sk,
                     float *sq);

  /* delta = beta * (v - decay * sk), out = fma(kq, delta, decay * sq); n in whole lanes. */
  void (*delta_output)(int32_t n, float decay, float beta, float kq, const float *v, const float *sk,
                       const float *sq, float *delta, float *out);

  /* out = o / sqrt(mean(o^2) + eps) * norm * silu(z) */
  void (*gated_norm)(int32_t n, const float *o, const float *norm, float eps, const float *z, float *out);
};

#endif
