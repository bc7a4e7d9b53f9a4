/* What the tests of a layer's kernels share: memory between guards, comparisons, contexts. */
#ifndef QNEXT_TEST_COMPARE_H
#define QNEXT_TEST_COMPARE_H

#include "../../main/c/layer.h"
#include "../../main/c/operations.h"
#include "guarded.h"
#include "random.h"

#include <math.h>
#include <string.h>

/* Blocks of one case, freed together. */
struct arena {
  struct guarded blocks[64];
  int count;
};

static inline float *arena_floats(struct arena *arena, struct rng *r, int64_t n) {
  struct guarded *block = &arena->blocks[arena->count++];
  *block = guarded_new((size_t)n * sizeof(float), (enum place)random_below(r, PLACES));
  return (float *)(void *)block->bytes;
}

static inline float *arena_normal(struct arena *arena, struct rng *r, int64_t n, float size) {
  float *x = arena_floats(arena, r, n);
  for (int64_t i = 0; i < n; i++) {
    x[i] = random_normal(r) * size;
  }
  return x;
}

static inline void arena_free(struct arena *arena) {
  while (arena->count > 0) {
    guarded_free(&arena->blocks[--arena->count]);
  }
}

/* A context of a table; plain is the definition. */
static inline struct qn_context *context_of(const char *name, int32_t threads) {
  struct qn_context *context = qn_context_new(threads, name);
  if (context == NULL) {
    fprintf(stderr, "no context for %s\n", name);
    exit(2);
  }
  return context;
}

/* Says where two arrays differ, any two NaN being equal; 0 if nowhere. */
static inline int differ(const char *what, const float *actual, const float *expected, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t a;
    uint32_t e;
    memcpy(&a, actual + i, sizeof a);
    memcpy(&e, expected + i, sizeof e);
    if (a != e && !(isnan(actual[i]) && isnan(expected[i]))) {
      fprintf(stderr, "%s: [%lld of %lld] is %a, expected %a\n", what, (long long)i, (long long)n, (double)actual[i],
              (double)expected[i]);
      return 1;
    }
  }
  return 0;
}

/* Largest difference against the largest expected number. */
static inline int far(const char *what, const float *actual, const double *expected, int64_t n, double limit) {
  double largest = 1e-30;
  double worst = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    largest = fmax(largest, fabs(expected[i]));
    double difference = fabs(actual[i] - expected[i]);
    if (!(difference <= worst)) {
      worst = difference;
      at = i;
    }
  }
  if (!(worst / largest <= limit)) {
    fprintf(stderr, "%s: relative difference %g > %g: [%lld of %lld] is %.9g, expected %.9g\n", what, worst / largest,
            limit, (long long)at, (long long)n, (double)actual[at], expected[at]);
    return 1;
  }
  return 0;
}

#define CHECK(condition)                                            \
  do {                                                              \
    if (!(condition)) {                                             \
      fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #condition); \
      return 1;                                                     \
    }                                                               \
  } while (0)

#endif
