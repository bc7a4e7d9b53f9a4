/*
 * Times the products of one pass in the shape of Qwen3-Next-80B-A3B with 64 experts, kind by kind, as
 * the layers call them: decoding (1 token) reads each matrix from memory, a prompt's chunk (512)
 * multiplies it.
 *
 *   products-bench [BITS [TOKENS [THREADS [TABLE]]]]      4 bits, 1 token, 2 threads, the best table
 *
 * Bytes are those of codes, scales and biases that are read, of experts those that were chosen.
 */
#include "../../main/c/operations.h"
#include "../../main/c/peaks.h"
#include "../../main/c/products.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { LAYERS = 12, EXPERTS = 64, CHOSEN = 10, HIDDEN = 2048, INNER = 512, GROUP = 64, VOCABULARY = 151936 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t seed = 1;

static uint64_t next(void) { return seed = seed * 6364136223846793005u + 1442695040888963407u; }

static float *numbers(int64_t n) {
  float *x = malloc((size_t)n * sizeof *x);
  for (int64_t i = 0; i < n; i++) {
    x[i] = (float)(int32_t)(next() >> 32) * 0x1p-31f;
  }
  return x;
}

/* Random codes, scales of about 1 / 8 and biases of about -1. */
static struct qn_matrix *matrix(int32_t experts, int32_t bits, int32_t rows, int32_t columns) {
  int64_t row_bytes = (int64_t)columns * bits / 8, scale_row_bytes = columns / GROUP * 2;
  size_t codes = (size_t)(experts * rows * row_bytes), scales = (size_t)(experts * rows * scale_row_bytes);
  uint8_t *memory = mmap(NULL, codes + 2 * scales, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    fprintf(stderr, "products-bench: no memory\n");
    exit(1);
  }

  for (size_t i = 0; i + 8 <= codes; i += 8) {
    uint64_t x = next();
    memcpy(memory + i, &x, 8);
  }
  uint16_t *scale = (uint16_t *)(memory + codes);
  for (size_t i = 0; i < scales / 2; i++) {
    scale[i] = (uint16_t)(0x3E00 + (next() >> 60));
    scale[i + scales / 2] = (uint16_t)(0xBF80 + (next() >> 60));
  }
  struct qn_matrix *m = malloc(sizeof *m);
  struct qn_planes *planes = malloc((size_t)experts * sizeof *planes);
  for (int32_t e = 0; e < experts; e++) {
    planes[e].codes = memory + e * rows * row_bytes;
    planes[e].scales = memory + codes + e * rows * scale_row_bytes;
    planes[e].biases = planes[e].scales + scales;
  }
  *m = (struct qn_matrix){{QN_AFFINE, bits, GROUP, QN_BF16}, experts, rows, columns, row_bytes, scale_row_bytes, NULL,
                          planes};
  return m;
}

static double bytes_of(const struct qn_matrix *m) { return (double)m->rows * (double)(m->row_bytes + 2 * m->scale_row_bytes); }

/* The kinds of products, in the order of the report. */
enum { QKVZ, BA, DELTA_OUT, Q, K, V, O, MIXTURE, HEAD, KINDS };
static const char *const names[KINDS] = {"in_proj_qkvz", "in_proj_ba", "out_proj", "q_proj", "k_proj",
                                         "v_proj",       "o_proj",     "experts",  "lm_head"};

struct layer {
  struct qn_matrix *linear[O + 1];
  struct qn_experts experts;
};

static struct qn_context *context;
static struct layer layers[LAYERS];
static struct qn_matrix *head;
static double seconds[KINDS], bytes[KINDS], weights[KINDS];

static void linear(int kind, const struct qn_matrix *w, const float *x, int32_t tokens, float *out) {
  double from = now();
  qn_linear(context, w, x, tokens, out);
  seconds[kind] += now() - from;
  bytes[kind] += bytes_of(w);
  weights[kind] += (double)w->rows * w->columns * tokens;
}

static void pass(const float *x, int32_t tokens, float *out) {
  for (int i = 0; i < LAYERS; i++) {
    for (int kind = 0; kind <= O; kind++) {
      if (layers[i].linear[kind] != NULL) {
        linear(kind, layers[i].linear[kind], x, tokens, out);
      }
    }
    const struct qn_experts *e = &layers[i].experts;
    double from = now();
    qn_experts(context, e, x + i * 64, tokens, out);
    seconds[MIXTURE] += now() - from;
    double one = bytes_of(e->gate_proj) + bytes_of(e->up_proj) + bytes_of(e->down_proj);
    double chosen = EXPERTS * (1 - pow(1 - (double)CHOSEN / EXPERTS, tokens));
    bytes[MIXTURE] += chosen * one + one + bytes_of(e->router) + bytes_of(e->shared_expert_gate);
    weights[MIXTURE] += (double)tokens * ((CHOSEN + 1) * 3.0 * INNER * HIDDEN + (EXPERTS + 1) * HIDDEN);
  }
  linear(HEAD, head, x, 1, out);
}

int main(int argc, char **argv) {
  int32_t bits = argc > 1 ? atoi(argv[1]) : 4, tokens = argc > 2 ? atoi(argv[2]) : 1;
  context = qn_context_new(argc > 3 ? atoi(argv[3]) : 2, argc > 4 ? argv[4] : NULL);
  struct qn_peaks peaks;
  if (context == NULL) {
    fprintf(stderr, "products-bench: no such table here\n");
    return 1;
  }
  for (int i = 0; i < LAYERS; i++) {
    struct layer *l = &layers[i];
    if (i % 4 == 3) {
      l->linear[Q] = matrix(1, bits, 8192, HIDDEN);
      l->linear[K] = matrix(1, bits, 512, HIDDEN);
      l->linear[V] = matrix(1, bits, 512, HIDDEN);
      l->linear[O] = matrix(1, bits, HIDDEN, 4096);
    } else {
      l->linear[QKVZ] = matrix(1, bits, 12288, HIDDEN);
      l->linear[BA] = matrix(1, bits, 64, HIDDEN);
      l->linear[DELTA_OUT] = matrix(1, bits, HIDDEN, 4096);
    }
    l->experts = (struct qn_experts){CHOSEN, 1, matrix(1, 8, EXPERTS, HIDDEN), matrix(EXPERTS, bits, INNER, HIDDEN),
                                     matrix(EXPERTS, bits, INNER, HIDDEN), matrix(EXPERTS, bits, HIDDEN, INNER),
                                     matrix(1, bits, INNER, HIDDEN), matrix(1, bits, INNER, HIDDEN),
                                     matrix(1, bits, HIDDEN, INNER), matrix(1, 8, 1, HIDDEN)};
  }
  head = matrix(1, bits, VOCABULARY, HIDDEN);
  float *out = malloc(sizeof *out * ((size_t)tokens * 12288 + VOCABULARY));
  int passes = tokens == 1 ? 40 : tokens < 64 ? 10 : 2;
  for (int i = -1; i < passes; i++) {
    if (i <= 0) {
      memset(seconds, 0, sizeof seconds);
      memset(bytes, 0, sizeof bytes);
      memset(weights, 0, sizeof weights);
    }
    float *x = numbers((int64_t)tokens * 4096 + LAYERS * 64);
    pass(x, tokens, out);
    free(x);
  }
  if (qn_measure_peaks(context->pool, 1, &peaks) != 0) {
    return 1;
  }
  printf("%d bits, groups of %d, %d tokens, %d threads, %s: memory read %.1f GB/s, int8 %.0f G products/s\n", bits, GROUP,
         tokens, qn_pool_threads(context->pool), context->kernels->name, peaks.read * 1e-9, peaks.int8 * 1e-9);
  double all_seconds = 0, all_bytes = 0, all_weights = 0;
  for (int kind = 0; kind <= KINDS; kind++) {
    double s = kind < KINDS ? seconds[kind] : all_seconds, b = kind < KINDS ? bytes[kind] : all_bytes;
    double w = kind < KINDS ? weights[kind] : all_weights;
    printf("%-14s %8.3f ms  %5.1f GB/s  %3.0f %%  %6.1f G products/s  %3.0f %%\n", kind < KINDS ? names[kind] : "all",
           s / passes * 1e3, b / s * 1e-9, b / s / peaks.read * 100, w / s * 1e-9, w / s / peaks.int8 * 100);
    all_seconds += s;
    all_bytes += b;
    all_weights += w;
  }
  return 0;
}
