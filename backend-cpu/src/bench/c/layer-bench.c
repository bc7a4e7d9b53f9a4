/*
 * Times the operations of a layer that are no products with weights, in the shape of Qwen3-Next-80B-A3B:
 * all 36 delta net layers or 12 attention layers in turn, so that nothing stays in a cache which would
 * not in a model.
 *
 *   layer-bench [THREADS [TABLE]]      2 threads and the best table if not given
 *
 * Bytes are what must be read (and written back, for the delta net); "of read" compares them with
 * the memory's read speed, measured first.
 */
#include "../../main/c/layer.h"
#include "../../main/c/operations.h"
#include "../../main/c/peaks.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DELTA_LAYERS = 36, ATTENTION_LAYERS = 12, HEADS = 16, KV_HEADS = 2, HEAD_DIM = 256, ROTARY = 64 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(int64_t n, float size) {
  float *x = malloc((size_t)n * sizeof *x);
  uint32_t seed = 1;
  for (int64_t i = 0; i < n; i++) {
    seed = seed * 1664525 + 1013904223;
    x[i] = (float)(int32_t)seed * 0x1p-31f * size;
  }
  return x;
}

static void say(const char *what, int32_t tokens, double seconds, double bytes, double multiplications, double read) {
  printf("%-34s %9.3f ms", what, seconds * 1e3);
  if (bytes > 0) {
    printf("  %6.1f GB/s  %3.0f %% of read", bytes / seconds * 1e-9, bytes / seconds / read * 100);
  }
  if (multiplications > 0) {
    printf("  %6.1f G multiplications/s", multiplications / seconds * 1e-9);
  }
  printf("  %.3f ms per token\n", seconds * 1e3 / tokens);
  fflush(stdout);
}

/* The best of some repetitions. */
#define TIME(seconds, repetitions, statement)       \
  do {                                              \
    seconds = 1e9;                                  \
    for (int r = 0; r < (repetitions); r++) {       \
      double from = now();                          \
      statement;                                    \
      double taken = now() - from;                  \
      seconds = taken < seconds ? taken : seconds;  \
    }                                               \
  } while (0)

struct delta_layers {
  struct qn_delta layer;
  struct qn_delta_state *states[DELTA_LAYERS];
  const float *qkvz, *ba;
  float *out;
};

static void delta(struct qn_context *context, struct delta_layers *d, int32_t undoable, int32_t tokens, int32_t kept) {
  for (int i = 0; i < DELTA_LAYERS; i++) {
    qn_delta_mix(context, &d->layer, d->states[i], undoable, 100, tokens, d->qkvz, d->ba, d->out);
    qn_delta_accept(d->states[i], kept);
  }
}

static void bench_delta(struct qn_context *context, double read) {
  struct qn_delta_shape shape = {16, 32, 128, 128, 4};
  struct delta_layers d = {
      .layer = {shape, 1e-6f, numbers(4 * 8192, 0.5f), numbers(32, 1), numbers(32, 1), numbers(128, 1)},
      .qkvz = numbers(512 * 12288, 1),
      .ba = numbers(512 * 64, 1),
      .out = numbers(512 * 4096, 1),
  };
  for (int i = 0; i < DELTA_LAYERS; i++) {
    d.states[i] = qn_delta_new(context, &shape);
  }
  double bytes = 2.0 * DELTA_LAYERS * 32 * 128 * 128 * 4;
  double multiplications = DELTA_LAYERS * 32.0 * 128 * 128 * 4;
  double seconds;
  delta(context, &d, 0, 512, 512);
  TIME(seconds, 20, delta(context, &d, 1, 1, 1));
  say("delta net, 36 layers, 1 token", 1, seconds, bytes, 0, read);
  for (int32_t t = 2; t <= 8; t *= 2) {
    char what[64];
    snprintf(what, sizeof what, "delta net, verify %d, keep %d", t, t - 1);
    TIME(seconds, 10, delta(context, &d, 1, t, t - 1));
    say(what, t, seconds, bytes, 0, read);
  }
  TIME(seconds, 4, delta(context, &d, 0, 512, 512));
  say("delta net, prefill 512", 512, seconds, 0, 512 * multiplications, read);
  for (int i = 0; i < DELTA_LAYERS; i++) {
    qn_delta_free(d.states[i]);
  }
}

struct attention_layers {
  struct qn_attention layer;
  struct qn_kv *caches[ATTENTION_LAYERS];
  const float *q_gate, *k, *v;
  float *out;
};

static void attention(struct qn_context *context, struct attention_layers *a, int32_t layers, int32_t first,
                      int32_t tokens) {
  for (int i = 0; i < layers; i++) {
    qn_attend(context, &a->layer, a->caches[i], first, tokens, a->q_gate, a->k, a->v, a->out);
  }
}

static void bench_attention(struct qn_context *context, double read) {
  float frequency[ROTARY / 2];
  for (int i = 0; i < ROTARY / 2; i++) {
    frequency[i] = 1.0f / (float)(i + 1);
  }
  struct attention_layers a = {
      .layer = {HEADS, KV_HEADS, HEAD_DIM, 1e-6f, qn_rope_new(ROTARY, frequency, 1), numbers(HEAD_DIM, 1),
                numbers(HEAD_DIM, 1)},
      .q_gate = numbers(2048LL * HEADS * 2 * HEAD_DIM, 1),
      .k = numbers(2048LL * KV_HEADS * HEAD_DIM, 1),
      .v = numbers(2048LL * KV_HEADS * HEAD_DIM, 1),
      .out = numbers(2048LL * HEADS * HEAD_DIM, 1),
  };
  double position = 4.0 * KV_HEADS * HEAD_DIM;
  double seconds;
  uint16_t *cached = malloc(16384 * (size_t)position);
  for (size_t i = 0; i < 16384 * (size_t)position / 2; i++) {
    cached[i] = (uint16_t)(i * 40503 % 1024 + (11 << 10) + (i * 2654435761u >> 16 & 0x8000));
  }
  for (int i = 0; i < ATTENTION_LAYERS; i++) {
    a.caches[i] = qn_kv_new(KV_HEADS, HEAD_DIM);
    qn_kv_import(a.caches[i], 0, 16384, cached);
  }
  for (int32_t depth = 1024; depth <= 16384; depth *= 4) {
    for (int32_t t = 1; t <= 4; t *= 2) {
      char what[64];
      snprintf(what, sizeof what, "attention, 12 layers, %d at %d", t, depth);
      TIME(seconds, 5, attention(context, &a, ATTENTION_LAYERS, depth - t, t));
      say(what, t, seconds, ATTENTION_LAYERS * position * depth, 0, read);
    }
  }
  TIME(seconds, 2, attention(context, &a, 1, 0, 2048));
  say("attention, 1 layer, prefill 2048", 2048, seconds, 0, 2048.0 * 2049 * HEADS * HEAD_DIM, read);
  TIME(seconds, 2, attention(context, &a, 1, 14336, 512));
  say("attention, 1 layer, 512 at 14336", 512, seconds, 0, 512 * 14592.0 * 2 * HEADS * HEAD_DIM, read);
  for (int i = 0; i < ATTENTION_LAYERS; i++) {
    qn_kv_free(a.caches[i]);
  }
  free(cached);
}

static void bench_elements(struct qn_context *context, double read) {
  enum { TOKENS = 512, VOCABULARY = 151936 };
  const float *x = numbers(TOKENS * 2048, 1);
  const float *y = numbers(TOKENS * 2048, 1);
  const float *w = numbers(2048, 1);
  const float *logits = numbers(VOCABULARY, 10);
  float *sum = numbers(TOKENS * 2048, 1);
  float *normed = numbers(TOKENS * 2048, 1);
  int32_t ids[20 * TOKENS];
  float values[20 * TOKENS];
  double seconds;
  TIME(seconds, 200, qn_add_norm(context, 1, 2048, x, y, w, 1e-6f, sum, normed));
  say("add and norm, 1 token", 1, seconds, 0, 0, read);
  TIME(seconds, 20, qn_add_norm(context, TOKENS, 2048, x, y, w, 1e-6f, sum, normed));
  say("add and norm, 512 tokens", TOKENS, seconds, 0, 0, read);
  TIME(seconds, 200, qn_route(context, 1, 512, 10, 1, logits, ids, values));
  say("router, 1 token", 1, seconds, 0, 0, read);
  TIME(seconds, 20, qn_route(context, TOKENS / 2, 512, 10, 1, logits, ids, values));
  say("router, 256 tokens", TOKENS / 2, seconds, 0, 0, read);
  TIME(seconds, 20, qn_top(context, 1, VOCABULARY, logits, 1, ids, values));
  say("argmax of a vocabulary", 1, seconds, 0, 0, read);
  TIME(seconds, 20, qn_top(context, 1, VOCABULARY, logits, 20, ids, values));
  say("20 largest of a vocabulary", 1, seconds, 0, 0, read);
}

int main(int argc, char **argv) {
  int32_t threads = argc > 1 ? atoi(argv[1]) : 2;
  struct qn_context *context = qn_context_new(threads, argc > 2 ? argv[2] : NULL);
  struct qn_peaks peaks;
  if (context == NULL || qn_measure_peaks(context->pool, 1, &peaks) != 0) {
    fprintf(stderr, "layer-bench: no such table here, or no memory\n");
    return 1;
  }
  printf("%d threads, %s: memory read %.1f GB/s, f32 %.0f G multiplications/s\n", threads, context->kernels->name,
         peaks.read * 1e-9, peaks.f32 * 1e-9);
  bench_delta(context, peaks.read);
  bench_attention(context, peaks.read);
  bench_elements(context, peaks.read);
  qn_context_free(context);
  return 0;
}
