/*
 * Speed of the products with quantized matrices by the number of tokens, on one core and from its
 * caches, beside the most that vpdpbusd gives there: scripts/bench-kernels tiles [FORMAT ...].
 *
 * The shapes are those of an expert of Qwen3-Next: gate and up [512, 2048], down [2048, 512]. Time is
 * the thread's own, so other programs disturb little.
 */
#define _GNU_SOURCE
#include "../../main/c/avx512/quantized.c"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_TOKENS = 80, WEIGHTS = 512 * 2048 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Products a second of vpdpbusd alone, with 12 sums so that none waits for itself. */
static double peak(void) {
  double best = 0;
  for (int i = 0; i < 10; i++) {
    double start = now();
    int64_t n = 500000;
#define DOT(SUM) "vpdpbusd %%zmm31, %%zmm31, %%zmm" #SUM "\n"
    __asm__ volatile("vpxord %%zmm31, %%zmm31, %%zmm31\n"
                     "1:\n" DOT(0) DOT(1) DOT(2) DOT(3) DOT(4) DOT(5) DOT(6) DOT(7) DOT(8) DOT(9)
                         DOT(10) DOT(11) "dec %0\njnz 1b"
                     : "+r"(n)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm31");
#undef DOT
    double speed = 500000.0 * 12 * 64 / (now() - start);
    best = speed > best ? speed : best;
  }
  return best;
}

static void measure(const char *name, struct qn_format format, int32_t rows, int32_t columns,
                    const uint8_t *codes, const uint8_t *scales) {
  int32_t padded = qn_padded(columns), groups = columns / format.group;
  int32_t size = format.mode == QN_AFFINE ? 2 : 1;
  struct qn_planes planes = {codes, scales, format.mode == QN_AFFINE ? scales : NULL};
  struct qn_matrix m = {format, 1, rows, columns, (int64_t)columns * format.bits / 8, (int64_t)groups * size, NULL, &planes};
  float *x = malloc((size_t)columns * sizeof *x), *out = malloc(MOST_TOKENS * (size_t)rows * sizeof *out);
  struct qn_activations a = {.columns = columns, .padded = padded, .groups = groups};
  a.q = aligned_alloc(64, MOST_TOKENS * (size_t)padded);
  a.scale = malloc(MOST_TOKENS * (size_t)groups * sizeof(float));
  a.sum = malloc(MOST_TOKENS * (size_t)groups * sizeof(float));
  for (int t = 0; t < MOST_TOKENS; t++) {
    for (int32_t k = 0; k < columns; k++) {
      x[k] = (float)((k * 37 + t * 11) % 101 - 50);
    }
    avx512_quantize(&format, columns, x, a.q + t * padded, a.scale + t * groups, a.sum + t * groups);
  }
  printf("%-8s %4d x %-4d |", name, rows, columns);
  static const int counts[] = {1, 2, 4, 8, 12, 16, 20, 40, 80};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    double best = 0;
    for (int run = 0; run < 60; run++) {
      double start = now();
      struct qn_product product = {.matrix = &m, .count = counts[i], .x = a, .out = out, .out_stride = rows};
      avx512_multiply(&product, 0, rows);
      double speed = (double)WEIGHTS * counts[i] / (now() - start);
      best = speed > best ? speed : best;
    }
    printf(" %4.0f", 1e-9 * best);
  }
  printf("\n");
  fflush(stdout);
  free(x);
  free(out);
  free(a.q);
  free(a.scale);
  free(a.sum);
}

int main(int count, char **names) {
  uint8_t *codes = malloc(WEIGHTS), *scales = malloc(WEIGHTS / 4);
  uint64_t state = 1;
  for (int i = 0; i < WEIGHTS; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    codes[i] = (uint8_t)(state >> 56);
  }
  /* A number of middle size in every type. */
  memset(scales, 0x3C, WEIGHTS / 4);
  printf("vpdpbusd alone: %.0f G products/s\n\nG products/s by number of tokens\n", 1e-9 * peak());
  printf("format   rows x cols |    1    2    4    8   12   16   20   40   80\n");
  static const struct {
    const char *name;
    struct qn_format format;
  } formats[] = {
      {"2-bit", {QN_AFFINE, 2, 64, QN_BF16}}, {"3-bit", {QN_AFFINE, 3, 64, QN_BF16}},
      {"4-bit", {QN_AFFINE, 4, 64, QN_BF16}}, {"5-bit", {QN_AFFINE, 5, 64, QN_BF16}},
      {"6-bit", {QN_AFFINE, 6, 64, QN_BF16}}, {"8-bit", {QN_AFFINE, 8, 64, QN_BF16}},
      {"3 g32", {QN_AFFINE, 3, 32, QN_BF16}}, {"4 g32", {QN_AFFINE, 4, 32, QN_BF16}},
      {"6 g32", {QN_AFFINE, 6, 32, QN_BF16}}, {"8 g32", {QN_AFFINE, 8, 32, QN_BF16}},
      {"mxfp4", {QN_MXFP4, 4, 32, QN_BF16}},  {"nvfp4", {QN_NVFP4, 4, 16, QN_BF16}},
  };
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    int chosen = count == 1;
    for (int n = 1; n < count; n++) {
      chosen |= strcmp(names[n], formats[i].name) == 0;
    }
    if (chosen) {
      measure(formats[i].name, formats[i].format, 512, 2048, codes, scales);
      measure(formats[i].name, formats[i].format, 2048, 512, codes, scales);
    }
  }
  return 0;
}
