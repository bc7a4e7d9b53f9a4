/* Random numbers that are the same everywhere: splitmix64. */
#ifndef QNEXT_TEST_RANDOM_H
#define QNEXT_TEST_RANDOM_H

#include <stdint.h>

struct rng {
  uint64_t state;
};

static inline uint64_t random_bits(struct rng *r) {
  uint64_t z = r->state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

/* 0 <= result < n */
static inline int32_t random_below(struct rng *r, int32_t n) {
  return (int32_t)((random_bits(r) >> 33) % (uint64_t)n);
}

/* from <= result <= to */
static inline int32_t random_between(struct rng *r, int32_t from, int32_t to) {
  return from + random_below(r, to - from + 1);
}

/* Uniform in [-1, 1). */
static inline float random_unit(struct rng *r) {
  return (float)(int32_t)(random_bits(r) >> 32) * 0x1p-31f;
}

/* Nearly normal, variance 1. */
static inline float random_normal(struct rng *r) {
  float sum = 0;
  for (int i = 0; i < 6; i++) {
    sum += random_unit(r);
  }
  return sum * 0.70710678f;
}

#endif
