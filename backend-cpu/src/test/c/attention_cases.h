/*
 * Attention: random sizes read in one prefill in plain C, and in random chunks by the table under
 * test; against f64 over the cache's own numbers.
 */
#ifndef QNEXT_TEST_ATTENTION_CASES_H
#define QNEXT_TEST_ATTENTION_CASES_H

#include "../../main/c/numbers.h"
#include "compare.h"

struct attention_case {
  struct qn_attention layer;
  int32_t tokens, rotary;
  float *frequency, *q_gate, *k, *v;
};

static int64_t attention_position_bytes(const struct attention_case *c) {
  return 4LL * c->layer.kv_heads * c->layer.head_dim;
}

static void attention_case_new(struct attention_case *c, struct rng *r, struct arena *arena, int64_t work) {
  int32_t kv_heads = random_between(r, 1, 3);
  int32_t dim = random_below(r, 3) == 0 ? 16 * random_between(r, 1, 16) : random_between(r, 2, 100);
  int32_t heads = kv_heads * random_between(r, 1, 8);
  int32_t tokens = random_below(r, 3) == 0 ? random_between(r, 1, 70) : random_between(r, 200, 800);
  while ((int64_t)tokens * tokens * heads * dim > work && tokens > 1) {
    tokens = tokens * 3 / 4;
  }
  c->tokens = tokens;
  c->rotary = 2 * random_between(r, 0, dim / 2);
  c->layer = (struct qn_attention){.heads = heads, .kv_heads = kv_heads, .head_dim = dim, .eps = 1e-6f};
  c->frequency = arena_floats(arena, r, c->rotary / 2);
  for (int32_t i = 0; i < c->rotary / 2; i++) {
    c->frequency[i] = (float)pow(1000, -2.0 * i / c->rotary);
  }
  c->layer.q_norm = arena_normal(arena, r, dim, 1);
  c->layer.k_norm = arena_normal(arena, r, dim, 1);
  c->q_gate = arena_normal(arena, r, (int64_t)tokens * heads * 2 * dim, 2);
  c->k = arena_normal(arena, r, (int64_t)tokens * kv_heads * dim, 2);
  c->v = arena_normal(arena, r, (int64_t)tokens * kv_heads * dim, 1);
}

static int attention_pass(const struct attention_case *c, struct qn_context *context, struct qn_kv *kv, int32_t first,
                          int32_t tokens, const float *q_gate, float *out) {
  int64_t width = (int64_t)c->layer.heads * c->layer.head_dim;
  int64_t kv_width = (int64_t)c->layer.kv_heads * c->layer.head_dim;
  CHECK(qn_attend(context, &c->layer, kv, first, tokens, q_gate + first * 2 * width, c->k + first * kv_width,
                  c->v + first * kv_width, out + first * width) == QN_OK);
  return 0;
}

/* Chunks of any size, some of them read before with other queries, keys and values; forks between. */
static int attention_chunks(const struct attention_case *c, struct rng *r, struct qn_context *context, float *out,
                            uint8_t *exported, const float *other) {
  struct qn_kv *kv = qn_kv_new(c->layer.kv_heads, c->layer.head_dim);
  int failed = 0;
  for (int32_t first = 0; first < c->tokens && !failed;) {
    int32_t most = random_below(r, 3) == 0 ? 300 : random_below(r, 2) == 0 ? 16 : 1;
    int32_t n = random_between(r, 1, most < c->tokens - first ? most : c->tokens - first);
    if (random_below(r, 4) == 0) {
      struct attention_case wrong = *c;
      wrong.k = wrong.v = (float *)(uintptr_t)other;
      int32_t some = n < 3 ? n : 3;
      int64_t kv_width = (int64_t)c->layer.kv_heads * c->layer.head_dim;
      failed |= qn_attend(context, &c->layer, kv, first, some, c->q_gate + (int64_t)first * 2 * c->layer.heads * c->layer.head_dim,
                          other, other, out + (int64_t)first * c->layer.heads * c->layer.head_dim) != QN_OK;
      (void)kv_width;
      qn_kv_truncate(kv, first);
    }
    if (random_below(r, 4) == 0) {
      struct qn_kv *fork = qn_kv_fork(kv, first);
      /* The original goes its own way: the fork must not see it. */
      failed |= attention_pass(c, context, kv, first, n, c->q_gate, out);
      failed |= qn_kv_import(kv, 0, 1, exported) != QN_OK;
      qn_kv_free(kv);
      kv = fork;
    }
    failed |= attention_pass(c, context, kv, first, n, c->q_gate, out);
    first += n;
  }
  /* A state saved and restored in pieces. */
  size_t bytes = (size_t)attention_position_bytes(c);
  failed |= qn_kv_export(kv, 0, c->tokens, exported) != QN_OK;
  struct qn_kv *restored = qn_kv_new(c->layer.kv_heads, c->layer.head_dim);
  for (int32_t first = 0; first < c->tokens && !failed;) {
    int32_t n = random_between(r, 1, c->tokens - first);
    failed |= qn_kv_import(restored, first, n, exported + (size_t)first * bytes) != QN_OK;
    first += n;
  }
  failed |= attention_pass(c, context, restored, c->tokens - 1, 1, c->q_gate, out);
  memset(exported, 0, (size_t)c->tokens * bytes);
  failed |= qn_kv_export(restored, 0, c->tokens, exported) != QN_OK;
  CHECK(qn_kv_bytes(restored) >= (int64_t)bytes * c->tokens);
  qn_kv_free(restored);
  qn_kv_free(kv);
  return failed;
}

/* x normed and turned, in f64. */
static void attention_turned(const struct attention_case *c, const float *x, const float *weight, int32_t position,
                             double *out) {
  int32_t dim = c->layer.head_dim;
  int32_t half = c->rotary / 2;
  double squares = 0;
  for (int32_t d = 0; d < dim; d++) {
    squares += (double)x[d] * x[d];
  }
  for (int32_t d = 0; d < dim; d++) {
    out[d] = x[d] / sqrt(squares / dim + (double)c->layer.eps) * weight[d];
  }
  for (int32_t i = 0; i < half; i++) {
    float angle = (float)position * c->frequency[i];
    double a = out[i];
    double b = out[half + i];
    out[i] = (a * cos(angle) - b * sin(angle)) * 1.25;
    out[half + i] = (b * cos(angle) + a * sin(angle)) * 1.25;
  }
}

static double attention_cached(const uint8_t *exported, int64_t at) { return qn_from_f16(qn_read16(exported + 2 * at)); }

/* One row of the result against f64, and one position of the cache. */
static int attention_row(const struct attention_case *c, const uint8_t *exported, const float *out, int32_t t,
                         int32_t head) {
  int32_t dim = c->layer.head_dim;
  int32_t kv_width = c->layer.kv_heads * dim;
  int32_t kv_head = head / (c->layer.heads / c->layer.kv_heads);
  double query[256];
  double expected[256] = {0};
  const float *in = c->q_gate + ((int64_t)t * c->layer.heads + head) * 2 * dim;
  attention_turned(c, in, c->layer.q_norm, t, query);
  double *weights = malloc((size_t)(t + 1) * sizeof *weights);
  double max = -INFINITY;
  double sum = 0;
  for (int32_t p = 0; p <= t; p++) {
    weights[p] = 0;
    for (int32_t d = 0; d < dim; d++) {
      weights[p] += query[d] * attention_cached(exported, 2LL * p * kv_width + kv_head * dim + d) / sqrt(dim);
    }
    max = fmax(max, weights[p]);
  }
  for (int32_t p = 0; p <= t; p++) {
    double weight = exp(weights[p] - max);
    sum += weight;
    for (int32_t d = 0; d < dim; d++) {
      expected[d] += weight * attention_cached(exported, (2LL * p + 1) * kv_width + kv_head * dim + d);
    }
  }
  free(weights);
  for (int32_t d = 0; d < dim; d++) {
    expected[d] /= sum * (1 + exp(-(double)in[dim + d]));
  }
  int failed = far("attention", out + ((int64_t)t * c->layer.heads + head) * dim, expected, dim, 3e-5);
  float cached[256];
  const float *key = c->k + (int64_t)t * kv_width + kv_head * dim;
  attention_turned(c, key, c->layer.k_norm, t, expected);
  for (int32_t d = 0; d < dim; d++) {
    cached[d] = (float)attention_cached(exported, 2LL * t * kv_width + kv_head * dim + d);
  }
  failed |= far("key", cached, expected, dim, 5e-4);
  for (int32_t d = 0; d < dim; d++) {
    cached[d] = (float)attention_cached(exported, (2LL * t + 1) * kv_width + kv_head * dim + d);
    expected[d] = c->v[(int64_t)t * kv_width + kv_head * dim + d];
  }
  return failed | far("value", cached, expected, dim, 5e-4);
}

static int attention_case(struct rng *r, struct qn_context *plain, struct qn_context *const *fast, int contexts,
                          int64_t work) {
  struct arena arena = {.count = 0};
  struct attention_case c;
  attention_case_new(&c, r, &arena, work);
  c.layer.rope = qn_rope_new(c.rotary, c.frequency, 1.25f);
  int64_t width = (int64_t)c.layer.heads * c.layer.head_dim;
  size_t bytes = (size_t)(attention_position_bytes(&c) * c.tokens);
  float *expected = arena_floats(&arena, r, c.tokens * width);
  float *actual = arena_floats(&arena, r, c.tokens * width);
  const float *other = arena_normal(&arena, r, 3LL * c.layer.kv_heads * c.layer.head_dim, 2);
  uint8_t *exported = calloc(1, bytes);
  uint8_t *chunked = calloc(1, bytes);
  struct qn_kv *kv = qn_kv_new(c.layer.kv_heads, c.layer.head_dim);
  int failed = attention_pass(&c, plain, kv, 0, c.tokens, c.q_gate, expected);
  failed |= qn_kv_export(kv, 0, c.tokens, exported) != QN_OK;
  qn_kv_free(kv);
  for (int i = 0; i < 6 && !failed; i++) {
    int32_t t = i == 0 ? c.tokens - 1 : random_below(r, c.tokens);
    failed |= attention_row(&c, exported, expected, t, random_below(r, c.layer.heads));
  }
  for (int i = 0; i < contexts && !failed; i++) {
    memset(actual, 0xFF, (size_t)(c.tokens * width) * sizeof *actual);
    failed |= attention_chunks(&c, r, fast[i], actual, chunked, other);
    failed |= differ("attention in chunks", actual, expected, c.tokens * width);
    failed |= memcmp(chunked, exported, bytes) != 0;
  }
  if (failed) {
    fprintf(stderr, "  attention: %d tokens, heads %d of %d, head dim %d, rotary %d\n", c.tokens, c.layer.heads,
            c.layer.kv_heads, c.layer.head_dim, c.rotary);
  }
  free(exported);
  free(chunked);
  qn_rope_free(c.layer.rope);
  arena_free(&arena);
  return failed;
}

/* So deep that the spans of a pass are joined in several sections; many threads against one. */
static int attention_deep(struct rng *r, struct qn_context *one, struct qn_context *many) {
  struct arena arena = {.count = 0};
  enum { DEPTH = 5000, TOKENS = 100, GROUP = 8, DIM = 256 };
  float frequency[16];
  for (int i = 0; i < 16; i++) {
    frequency[i] = (float)pow(1e7, -i / 16.0);
  }
  struct qn_attention layer = {GROUP, 1, DIM, 1e-6f, qn_rope_new(32, frequency, 1), arena_normal(&arena, r, DIM, 1),
                               arena_normal(&arena, r, DIM, 1)};
  float *q_gate = arena_normal(&arena, r, (int64_t)TOKENS * GROUP * 2 * DIM, 1);
  float *k = arena_normal(&arena, r, TOKENS * DIM, 1);
  float *v = arena_normal(&arena, r, TOKENS * DIM, 1);
  float *out[2] = {arena_floats(&arena, r, (int64_t)TOKENS * GROUP * DIM), arena_floats(&arena, r, (int64_t)TOKENS * GROUP * DIM)};
  uint16_t *cached = malloc((size_t)DEPTH * 2 * DIM * sizeof *cached);
  for (int i = 0; i < DEPTH * 2 * DIM; i++) { /* 0.25 to 2, either sign */
    cached[i] = (uint16_t)((random_bits(r) & 0x83FF) | (uint16_t)random_between(r, 13, 15) << 10);
  }
  int failed = 0;
  for (int i = 0; i < 2; i++) {
    struct qn_kv *kv = qn_kv_new(1, DIM);
    failed |= qn_kv_import(kv, 0, DEPTH, cached) != QN_OK;
    failed |= qn_attend(i == 0 ? one : many, &layer, kv, DEPTH, TOKENS, q_gate, k, v, out[i]) != QN_OK;
    qn_kv_free(kv);
  }
  failed |= differ("attention at depth", out[1], out[0], (int64_t)TOKENS * GROUP * DIM);
  free(cached);
  qn_rope_free(layer.rope);
  arena_free(&arena);
  return failed;
}

#endif
