/* Norms, SwiGLU, router, the largest: a table against plain C, and against f64. */
#ifndef QNEXT_TEST_ELEMENTS_CASES_H
#define QNEXT_TEST_ELEMENTS_CASES_H

#include "compare.h"

static int add_norm_case(struct rng *r, struct qn_context *plain, struct qn_context *fast, struct arena *arena) {
  int32_t tokens = random_between(r, 1, 40);
  int32_t n = random_below(r, 3) == 0 ? 2048 : random_between(r, 1, 300);
  int64_t count = (int64_t)tokens * n;
  const float *x = arena_normal(arena, r, count, 1);
  const float *d = random_below(r, 3) == 0 ? NULL : arena_normal(arena, r, count, 3);
  const float *w = arena_normal(arena, r, n, 1);
  float *sum[2];
  float *normed[2];
  for (int i = 0; i < 2; i++) {
    sum[i] = arena_floats(arena, r, count);
    normed[i] = arena_floats(arena, r, count);
    CHECK(qn_add_norm(i == 0 ? plain : fast, tokens, n, x, d, w, 1e-6f, sum[i], normed[i]) == QN_OK);
  }
  double *expected = malloc((size_t)count * sizeof *expected);
  for (int32_t t = 0; t < tokens; t++) {
    double squares = 0;
    for (int32_t i = 0; i < n; i++) {
      double s = (double)x[t * n + i] + (d == NULL ? 0 : (double)d[t * n + i]);
      expected[t * n + i] = s;
      squares += s * s;
    }
    for (int32_t i = 0; i < n; i++) {
      expected[t * n + i] *= w[i] / sqrt(squares / n + 1e-6);
    }
  }
  int failed = far("norm", normed[0], expected, count, 1e-6) || differ("sum", sum[1], sum[0], count) ||
               differ("norm", normed[1], normed[0], count);
  free(expected);
  /* In place. */
  memcpy(sum[0], x, (size_t)count * sizeof *x);
  CHECK(qn_add_norm(fast, tokens, n, sum[0], d, w, 1e-6f, sum[0], normed[0]) == QN_OK);
  return failed || differ("sum in place", sum[0], sum[1], count) ||
         differ("norm in place", normed[0], normed[1], count);
}

static int swiglu_case(struct rng *r, struct qn_context *plain, struct qn_context *fast, struct arena *arena) {
  int64_t n = random_below(r, 2) == 0 ? random_between(r, 1, 100) : random_between(r, 16000, 50000);
  const float *gate = arena_normal(arena, r, n, 20);
  const float *up = arena_normal(arena, r, n, 1);
  float *out[2] = {arena_floats(arena, r, n), arena_floats(arena, r, n)};
  double *expected = malloc((size_t)n * sizeof *expected);
  for (int64_t i = 0; i < n; i++) {
    expected[i] = gate[i] / (1 + exp(-(double)gate[i])) * up[i];
  }
  qn_swiglu(plain, n, gate, up, out[0]);
  qn_swiglu(fast, n, gate, up, out[1]);
  int failed = far("swiglu", out[0], expected, n, 3e-7) || differ("swiglu", out[1], out[0], n);
  free(expected);
  return failed;
}

static int concat_case(struct rng *r, struct qn_context *fast, struct arena *arena) {
  int32_t tokens = random_between(r, 1, 5);
  int32_t a = random_between(r, 1, 40);
  int32_t b = random_between(r, 1, 40);
  const float *x = arena_normal(arena, r, tokens * a, 1);
  const float *y = arena_normal(arena, r, tokens * b, 1);
  float *out = arena_floats(arena, r, tokens * (a + b));
  qn_concat(fast, tokens, a, x, b, y, out);
  for (int32_t t = 0; t < tokens; t++) {
    for (int32_t i = 0; i < a + b; i++) {
      CHECK(out[t * (a + b) + i] == (i < a ? x[t * a + i] : y[t * b + i - a]));
    }
  }
  return 0;
}

/* Few different numbers, so that many are equal; sometimes what no model should give. */
static void coarse(struct rng *r, float *x, int64_t n, int odd) {
  for (int64_t i = 0; i < n; i++) {
    x[i] = (float)random_between(r, -20, 20) * 0.25f;
    if (odd && random_below(r, 20) == 0) {
      static const float odds[] = {-0.0f, 0.0f, INFINITY, -INFINITY, NAN};
      x[i] = odds[random_below(r, 5)];
    }
  }
}

/* The router as the reference backend defines it. */
static int route_case(struct rng *r, struct qn_context *plain, struct qn_context *fast, struct arena *arena) {
  int32_t tokens = random_between(r, 1, 70);
  int32_t experts = random_below(r, 2) == 0 ? 512 : random_between(r, 1, 100);
  int32_t chosen = random_between(r, 1, experts < 12 ? experts : 12);
  int32_t renormalise = random_below(r, 2);
  float *logits = arena_normal(arena, r, (int64_t)tokens * experts, 3);
  if (random_below(r, 2) == 0) {
    coarse(r, logits, (int64_t)tokens * experts, 0);
  }
  int32_t *numbers[2];
  float *weights[2];
  for (int i = 0; i < 2; i++) {
    numbers[i] = (int32_t *)(void *)arena_floats(arena, r, (int64_t)tokens * chosen);
    weights[i] = arena_floats(arena, r, (int64_t)tokens * chosen);
    CHECK(qn_route(i == 0 ? plain : fast, tokens, experts, chosen, renormalise, logits, numbers[i], weights[i]) == QN_OK);
  }
  for (int32_t t = 0; t < tokens; t++) {
    const float *x = logits + t * experts;
    double sum = 0;
    double total = 0;
    double expected[12];
    for (int32_t e = 0; e < experts; e++) {
      sum += exp((double)x[e]);
    }
    char taken[512] = {0};
    for (int32_t i = 0; i < chosen; i++) {
      int32_t next = -1;
      for (int32_t e = 0; e < experts; e++) {
        next = !taken[e] && (next < 0 || x[e] > x[next]) ? e : next;
      }
      taken[next] = 1;
      CHECK(numbers[0][t * chosen + i] == next);
      CHECK(numbers[1][t * chosen + i] == next);
      expected[i] = exp((double)x[next]) / sum;
      total += expected[i];
    }
    for (int32_t i = 0; renormalise && i < chosen; i++) {
      expected[i] /= total;
    }
    if (far("router", weights[0] + t * chosen, expected, chosen, 1e-6)) {
      return 1;
    }
  }
  return differ("router", weights[1], weights[0], (int64_t)tokens * chosen);
}

static int top_case(struct rng *r, struct qn_context *fast, struct arena *arena) {
  int32_t rows = random_between(r, 1, 3);
  int32_t columns = random_below(r, 3) == 0 ? random_between(r, 16000, 40000) : random_between(r, 1, 200);
  int32_t k = random_between(r, 1, columns < 50 ? columns : 50);
  float *x = arena_floats(arena, r, (int64_t)rows * columns);
  coarse(r, x, (int64_t)rows * columns, random_below(r, 2));
  if (random_below(r, 4) == 0) {
    for (int32_t i = 0; i < rows * columns; i++) {
      x[i] = random_below(r, 3) == 0 ? NAN : -INFINITY;
    }
  }
  int32_t *indices = (int32_t *)(void *)arena_floats(arena, r, (int64_t)rows * k);
  float *values = arena_floats(arena, r, (int64_t)rows * k);
  CHECK(qn_top(fast, rows, columns, x, k, indices, values) == QN_OK);
  for (int32_t row = 0; row < rows; row++) {
    const float *in = x + (int64_t)row * columns;
    char *taken = calloc((size_t)columns, 1);
    for (int32_t i = 0; i < k; i++) {
      int32_t best = -1;
      for (int32_t c = 0; c < columns; c++) {
        if (!taken[c] && (best < 0 || in[c] > in[best] || (isnan(in[c]) && !isnan(in[best])))) {
          best = c;
        }
      }
      taken[best] = 1;
      int same = indices[row * k + i] == best && !differ("value", values + row * k + i, in + best, 1);
      if (!same) {
        fprintf(stderr, "top: %d of %d columns, number %d is %d, expected %d\n", k, columns, i,
                indices[row * k + i], best);
        free(taken);
        return 1;
      }
    }
    free(taken);
  }
  return 0;
}

static int weighted_sum_case(struct rng *r, struct qn_context *plain, struct qn_context *fast, struct arena *arena) {
  int32_t n = random_between(r, 1, 200);
  int32_t count = random_between(r, 1, 11);
  int32_t stride = n + random_below(r, 5);
  const float *x = arena_normal(arena, r, 11 * stride, 1);
  int32_t rows[11];
  for (int32_t c = 0; c < count; c++) {
    rows[c] = random_below(r, 11);
  }
  const float *w = arena_normal(arena, r, count, 1);
  float *out[2] = {arena_floats(arena, r, n), arena_floats(arena, r, n)};
  plain->kernels->layer->weighted_sum(n, count, x, stride, rows, w, out[0]);
  fast->kernels->layer->weighted_sum(n, count, x, stride, rows, w, out[1]);
  for (int32_t i = 0; i < n; i++) {
    float sum = 0;
    for (int32_t c = 0; c < count; c++) {
      sum = fmaf(w[c], x[rows[c] * stride + i], sum);
    }
    CHECK(out[0][i] == sum);
  }
  return differ("weighted sum", out[1], out[0], n);
}

/* The functions that lanes/functions.h makes, over all magnitudes. */
static int function_case(struct rng *r, struct qn_context *plain, struct qn_context *fast, struct arena *arena) {
  int32_t n = random_between(r, 1, 400);
  float *x = arena_floats(arena, r, n);
  for (int32_t i = 0; i < n; i++) {
    uint32_t bits = (uint32_t)random_bits(r);
    memcpy(x + i, &bits, sizeof bits);
    if (random_below(r, 2) == 0) {
      x[i] = random_normal(r) * 60;
    }
  }
  float *zeros = arena_floats(arena, r, n);
  float *out[4];
  for (int i = 0; i < 4; i++) {
    out[i] = arena_floats(arena, r, n);
  }
  memset(zeros, 0, (size_t)n * sizeof *zeros);
  plain->kernels->layer->sigmoid(n, x, out[0]);
  fast->kernels->layer->sigmoid(n, x, out[1]);
  if (differ("sigmoid", out[1], out[0], n)) {
    return 1;
  }
  plain->kernels->layer->exponentials(n, x, 0, out[0]);
  fast->kernels->layer->exponentials(n, x, 0, out[1]);
  if (differ("exp", out[1], out[0], n)) {
    return 1;
  }
  for (int32_t i = 0; i < n; i++) {
    double e = exp((double)x[i]);
    int fine = isnan(x[i]) ? isnan(out[0][i]) : fabs(out[0][i] - e) <= e * 1.3e-7 + 1.5e-45 || out[0][i] == (float)e;
    if (!fine) {
      fprintf(stderr, "exp(%a) is %a, expected %a\n", (double)x[i], (double)out[0][i], e);
      return 1;
    }
  }
  plain->kernels->layer->decays(n, zeros, x, zeros, zeros, out[2], out[0]);
  fast->kernels->layer->decays(n, zeros, x, zeros, zeros, out[3], out[1]);
  for (int32_t i = 0; i < n; i++) {
    double d = 1 / (1 + exp((double)x[i])); /* exp(-log(1 + e^x)) */
    CHECK(isnan(x[i]) ? isnan(out[0][i]) : fabs(out[0][i] - d) <= 1e-5 * d + 1e-38);
  }
  return differ("beta", out[3], out[2], n) || differ("decay", out[1], out[0], n);
}

static int elements_case(struct rng *r, struct qn_context *plain, struct qn_context *fast) {
  struct arena arena = {.count = 0};
  int failed = add_norm_case(r, plain, fast, &arena) || swiglu_case(r, plain, fast, &arena) ||
               concat_case(r, fast, &arena) || route_case(r, plain, fast, &arena) || top_case(r, fast, &arena) ||
               weighted_sum_case(r, plain, fast, &arena) || function_case(r, plain, fast, &arena);
  arena_free(&arena);
  return failed;
}

#endif
