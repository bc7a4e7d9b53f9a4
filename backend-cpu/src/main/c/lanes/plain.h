/*
 * Sixteen f32 lanes in plain C: what the other files of this folder mean, to the last bit (but for
 * which NaN it is).
 *
 * One exists for each instruction set, with the same functions; lanes/functions.h adds what can be
 * written with these. Addresses need no alignment. "fma" rounds once: compile with
 * -ffp-contract=off, or a compiler may make its own fmas of other products and sums.
 */
#ifndef QNEXT_LANES_H
#define QNEXT_LANES_H

#include "../numbers.h"

#include <math.h>

typedef struct {
  float v[16];
} lanes;

#define LANES_EACH(expression)       \
  lanes to;                          \
  for (int l = 0; l < 16; l++) {     \
    to.v[l] = (expression);          \
  }                                  \
  return to

static inline lanes lanes_all(float x) { LANES_EACH(x); }
static inline lanes lanes_zero(void) { return lanes_all(0); }

static inline lanes lanes_load(const float *at) {
  lanes to;
  memcpy(to.v, at, sizeof to.v);
  return to;
}

static inline void lanes_store(float *at, lanes x) { memcpy(at, x.v, sizeof x.v); }

/* n < 16 numbers, zeros after them. */
static inline lanes lanes_load_n(const float *at, int n) {
  lanes to = lanes_zero();
  memcpy(to.v, at, (size_t)n * sizeof *at);
  return to;
}

static inline void lanes_store_n(float *at, lanes x, int n) { memcpy(at, x.v, (size_t)n * sizeof *at); }

static inline lanes lanes_f16(const void *at) { LANES_EACH(qn_from_f16(qn_read16((const uint8_t *)at + 2 * l))); }
static inline lanes lanes_bf16(const void *at) { LANES_EACH(qn_from_bf16(qn_read16((const uint8_t *)at + 2 * l))); }
static inline lanes lanes_e4m3(const uint8_t *at) { LANES_EACH(qn_from_e4m3(at[l])); }

static inline uint16_t plain_to_f16(float x) {
  uint32_t sign = qn_bits(x) >> 16 & 0x8000;
  float magnitude = fabsf(x);
  if (isnan(x)) {
    return (uint16_t)(sign | 0x7E00);
  }
  magnitude = magnitude > 65504 ? 65504 : magnitude;
  if (magnitude < 0x1p-14f) {
    /* Denormals count in steps of 2^-24; adding 1/2 makes that the last place. */
    return (uint16_t)(sign | (qn_bits(magnitude + 0.5f) - qn_bits(0.5f)));
  }
  uint32_t bits = qn_bits(magnitude) - (112u << 23);
  return (uint16_t)(sign | (bits + 0xFFF + (bits >> 13 & 1)) >> 13);
}

/* Sixteen f16, rounded to nearest even, at most 65504 either way; NaN stays NaN. */
static inline void lanes_store_f16(void *at, lanes x) {
  for (int l = 0; l < 16; l++) {
    uint16_t h = plain_to_f16(x.v[l]);
    memcpy((uint8_t *)at + 2 * l, &h, sizeof h);
  }
}

static inline lanes lanes_add(lanes a, lanes b) { LANES_EACH(a.v[l] + b.v[l]); }
static inline lanes lanes_sub(lanes a, lanes b) { LANES_EACH(a.v[l] - b.v[l]); }
static inline lanes lanes_mul(lanes a, lanes b) { LANES_EACH(a.v[l] * b.v[l]); }
static inline lanes lanes_div(lanes a, lanes b) { LANES_EACH(a.v[l] / b.v[l]); }

/* a b + c */
static inline lanes lanes_fma(lanes a, lanes b, lanes c) { LANES_EACH(fmaf(a.v[l], b.v[l], c.v[l])); }

/* a > b ? a : b, so b where one is NaN or both are zero; min likewise. */
static inline lanes lanes_max(lanes a, lanes b) { LANES_EACH(a.v[l] > b.v[l] ? a.v[l] : b.v[l]); }
static inline lanes lanes_min(lanes a, lanes b) { LANES_EACH(a.v[l] < b.v[l] ? a.v[l] : b.v[l]); }

static inline lanes lanes_abs(lanes x) { LANES_EACH(fabsf(x.v[l])); }

/* Bit l: not a <= b, so 1 where one is NaN. */
static inline uint32_t lanes_not_at_most(lanes a, lanes b) {
  uint32_t bits = 0;
  for (int l = 0; l < 16; l++) {
    bits |= (uint32_t) !(a.v[l] <= b.v[l]) << l;
  }
  return bits;
}

/* x 2^n rounded once, for |x| between 1/2 and 2 and whole |n| <= 252; NaN if x is. */
static inline lanes lanes_scale(lanes x, lanes n) {
  LANES_EACH(isnan(x.v[l]) ? x.v[l] : ldexpf(x.v[l], (int)n.v[l]));
}

/* Added pairwise: l and l + 8, then 4, 2, 1. */
static inline float lanes_sum(lanes x) {
  for (int half = 8; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      x.v[l] += x.v[l + half];
    }
  }
  return x.v[0];
}

/* The largest lane. NaN where it is met as a second operand: for numbers only. */
static inline float lanes_largest(lanes x) {
  for (int half = 8; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      x.v[l] = x.v[l] > x.v[l + half] ? x.v[l] : x.v[l + half];
    }
  }
  return x.v[0];
}

#undef LANES_EACH

/* So many rows times blocks of sums stay in registers, beside what they are made of. */
#define LANES_ROWS 4
#define LANES_BLOCKS 1

#include "functions.h"

#endif
