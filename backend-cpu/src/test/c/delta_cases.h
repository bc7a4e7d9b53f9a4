/*
 * Delta net: random sizes read in one prefill in plain C, and in random passes with rejected tokens
 * by the table under test; against f64.
 */
#ifndef QNEXT_TEST_DELTA_CASES_H
#define QNEXT_TEST_DELTA_CASES_H

#include "compare.h"

struct delta_case {
  struct qn_delta layer;
  int32_t tokens, channels, values, width; /* values of all heads; width of a row of qkvz */
  float *qkvz, *ba, *wrong, *wrong_ba;     /* wrong: QN_MAX_VERIFY rows that will be rejected */
};

static int32_t delta_size(struct rng *r) {
  return random_below(r, 4) == 0 ? 128 : random_below(r, 2) == 0 ? 16 << random_below(r, 3) : random_between(r, 1, 90);
}

static void delta_case_new(struct delta_case *c, struct rng *r, struct arena *arena, int64_t work) {
  int32_t key_heads = random_between(r, 1, 4);
  struct qn_delta_shape shape = {key_heads, key_heads * random_between(r, 1, 4), delta_size(r), delta_size(r),
                                 random_between(r, 2, 5)};
  c->tokens = random_below(r, 3) == 0 ? random_between(r, 1, 20) : random_between(r, 30, 150);
  while ((int64_t)c->tokens * shape.value_heads * shape.value_dim * shape.key_dim > work && c->tokens > 1) {
    c->tokens = c->tokens * 3 / 4;
  }
  c->channels = 2 * key_heads * shape.key_dim + shape.value_heads * shape.value_dim;
  c->values = shape.value_heads * shape.value_dim;
  c->width = c->channels + c->values;
  float *a_log = arena_normal(arena, r, shape.value_heads, 1.5f);
  for (int32_t h = 0; h < shape.value_heads; h++) {
    /* Some forget nothing, some everything. */
    a_log[h] = random_below(r, 8) == 0 ? 5 : random_below(r, 8) == 0 ? -20 : a_log[h];
  }
  c->layer = (struct qn_delta){
      .shape = shape,
      .eps = 1e-6f,
      .conv = arena_normal(arena, r, (int64_t)shape.kernel * c->channels, 0.6f),
      .a_log = a_log,
      .dt_bias = arena_normal(arena, r, shape.value_heads, 1),
      .norm = arena_normal(arena, r, shape.value_dim, 1),
  };
  c->qkvz = arena_normal(arena, r, (int64_t)c->tokens * c->width, 1.5f);
  c->ba = arena_normal(arena, r, (int64_t)c->tokens * 2 * shape.value_heads, 1.5f);
  c->wrong = arena_floats(arena, r, (int64_t)QN_MAX_VERIFY * c->width);
  c->wrong_ba = arena_floats(arena, r, (int64_t)QN_MAX_VERIFY * 2 * shape.value_heads);
}

static int delta_pass(const struct delta_case *c, struct qn_context *context, struct qn_delta_state *state,
                      int32_t undoable, int32_t first, int32_t tokens, const float *qkvz, const float *ba,
                      float *out) {
  CHECK(qn_delta_mix(context, &c->layer, state, undoable, first, tokens, qkvz, ba, out) == QN_OK);
  return 0;
}

/* An undoable pass of "right" tokens of the case and "bad" others. */
static int delta_verify(const struct delta_case *c, struct rng *r, struct qn_context *context,
                        struct qn_delta_state *state, int32_t first, int32_t right, int32_t bad, float *out) {
  int32_t heads = c->layer.shape.value_heads;
  float *rows = malloc((size_t)QN_MAX_VERIFY * (size_t)c->values * sizeof *rows);
  for (int32_t i = 0; i < (right + bad) * c->width; i++) {
    c->wrong[i] = i < right * c->width ? c->qkvz[(int64_t)first * c->width + i] : random_normal(r);
  }
  for (int32_t i = 0; i < (right + bad) * 2 * heads; i++) {
    c->wrong_ba[i] = i < right * 2 * heads ? c->ba[(int64_t)first * 2 * heads + i] : random_normal(r);
  }
  int failed = delta_pass(c, context, state, 1, first, right + bad, c->wrong, c->wrong_ba, rows);
  memcpy(out + (int64_t)first * c->values, rows, (size_t)right * (size_t)c->values * sizeof *rows);
  free(rows);
  return failed;
}

static int delta_passes(const struct delta_case *c, struct rng *r, struct qn_context *context, float *out,
                        uint8_t *exported) {
  int32_t heads = c->layer.shape.value_heads;
  struct qn_delta_state *state = qn_delta_new(context, &c->layer.shape);
  int failed = 0;
  for (int32_t first = 0; first < c->tokens && !failed;) {
    int32_t left = c->tokens - first;
    switch (random_below(r, 8)) {
      case 0:
      case 1: {
        int32_t n = random_between(r, 1, left);
        n = random_below(r, 2) == 0 && n > 3 ? 3 : n;
        failed |= delta_pass(c, context, state, 0, first, n, c->qkvz + (int64_t)first * c->width,
                             c->ba + (int64_t)first * 2 * heads, out + (int64_t)first * c->values);
        qn_delta_accept(state, n);
        first += n;
        break;
      }
      case 2:
      case 3:
      case 4:
      case 5: {
        int32_t right = random_below(r, 3) == 0 ? 1 : random_between(r, 0, QN_MAX_VERIFY);
        right = right < left ? right : left;
        int32_t bad = random_below(r, 2) == 0 && right > 0 ? 0 : random_between(r, right == 0, QN_MAX_VERIFY - right);
        if (right + bad == 0 || right + bad > QN_MAX_VERIFY) {
          break;
        }
        failed |= delta_verify(c, r, context, state, first, right, bad, out);
        qn_delta_accept(state, right);
        first += right;
        break;
      }
      case 6:
        qn_delta_accept(state, 0); /* a pass that was given up before this layer */
        break;
      default: {
        struct qn_delta_state *other;
        if (random_below(r, 2) == 0) {
          other = qn_delta_fork(context, state);
          failed |= delta_verify(c, r, context, state, first, 0, 5, out);
          qn_delta_accept(state, 5);
        } else {
          other = qn_delta_new(context, &c->layer.shape);
          failed |= delta_verify(c, r, context, other, 0, 0, 3, out);
          qn_delta_accept(other, 2);
          failed |= qn_delta_export(context, state, first, exported) != QN_OK;
          failed |= qn_delta_import(other, first, exported) != QN_OK;
        }
        qn_delta_free(state);
        state = other;
        break;
      }
    }
  }
  failed |= qn_delta_export(context, state, c->tokens, exported) != QN_OK;
  /* Forgotten, it starts again from nothing. */
  qn_delta_clear(state);
  float *again = malloc((size_t)c->values * sizeof *again);
  failed |= delta_pass(c, context, state, 0, 0, 1, c->qkvz, c->ba, again);
  failed |= differ("delta net, cleared", again, out, c->values);
  free(again);
  qn_delta_free(state);
  return failed;
}

/* One key head's first value head, token by token in f64; out [tokens, value_dim]. */
static void delta_expected(const struct delta_case *c, int32_t value_head, double *out) {
  const struct qn_delta_shape *s = &c->layer.shape;
  int32_t key_head = value_head / (s->value_heads / s->key_heads);
  double *matrix = calloc((size_t)s->value_dim * (size_t)s->key_dim, sizeof *matrix);
  double *x = malloc((size_t)(2 * s->key_dim + s->value_dim) * sizeof *x);
  int32_t from[] = {key_head * s->key_dim, (s->key_heads + key_head) * s->key_dim,
                    2 * s->key_heads * s->key_dim + value_head * s->value_dim};
  int32_t sizes[] = {s->key_dim, s->key_dim, s->value_dim};
  for (int32_t t = 0; t < c->tokens; t++) {
    double *to = x;
    for (int part = 0; part < 3; part++) {
      double squares = 0;
      for (int32_t i = 0; i < sizes[part]; i++) {
        double sum = 0;
        for (int32_t tap = 0; tap < s->kernel; tap++) {
          int32_t at = t - s->kernel + 1 + tap;
          int32_t channel = from[part] + i;
          sum += at < 0 ? 0 : (double)c->layer.conv[tap * c->channels + channel] * c->qkvz[(int64_t)at * c->width + channel];
        }
        to[i] = sum / (1 + exp(-sum));
        squares += to[i] * to[i];
      }
      for (int32_t i = 0; part < 2 && i < sizes[part]; i++) {
        to[i] /= sqrt(squares + 1e-6) * (part == 0 ? sqrt(s->key_dim) : 1);
      }
      to += sizes[part];
    }
    const double *q = x;
    const double *k = q + s->key_dim;
    const double *v = k + s->key_dim;
    const float *ba = c->ba + (int64_t)t * 2 * s->value_heads + value_head;
    double beta = 1 / (1 + exp(-(double)ba[0]));
    double a = (double)ba[s->value_heads] + c->layer.dt_bias[value_head];
    double decay = exp(-exp((double)c->layer.a_log[value_head]) * log1p(exp(a)));
    double *o = out + (int64_t)t * s->value_dim;
    double squares = 0;
    for (int32_t i = 0; i < s->value_dim; i++) {
      double *row = matrix + (int64_t)i * s->key_dim;
      double dot = 0;
      for (int32_t j = 0; j < s->key_dim; j++) {
        row[j] *= decay;
        dot += row[j] * k[j];
      }
      o[i] = 0;
      for (int32_t j = 0; j < s->key_dim; j++) {
        row[j] += beta * (v[i] - dot) * k[j];
        o[i] += row[j] * q[j];
      }
      squares += o[i] * o[i];
    }
    const float *z = c->qkvz + (int64_t)t * c->width + c->channels + value_head * s->value_dim;
    for (int32_t i = 0; i < s->value_dim; i++) {
      o[i] *= c->layer.norm[i] / sqrt(squares / s->value_dim + 1e-6) * z[i] / (1 + exp(-(double)z[i]));
    }
  }
  free(matrix);
  free(x);
}

static int delta_case(struct rng *r, struct qn_context *plain, struct qn_context *const *fast, int contexts,
                      int64_t work) {
  struct arena arena = {.count = 0};
  struct delta_case c;
  delta_case_new(&c, r, &arena, work);
  const struct qn_delta_shape *s = &c.layer.shape;
  float *expected = arena_floats(&arena, r, (int64_t)c.tokens * c.values);
  float *actual = arena_floats(&arena, r, (int64_t)c.tokens * c.values);
  struct qn_delta_state *state = qn_delta_new(plain, s);
  int64_t bytes = qn_delta_export_bytes(state);
  uint8_t *exported = malloc((size_t)bytes);
  uint8_t *passes = malloc((size_t)bytes);
  int failed = delta_pass(&c, plain, state, 0, 0, c.tokens, c.qkvz, c.ba, expected);
  failed |= qn_delta_export(plain, state, c.tokens, exported) != QN_OK;
  failed |= qn_delta_bytes(state) < bytes;
  qn_delta_free(state);
  int32_t head = random_below(r, s->value_heads);
  double *exact = malloc((size_t)c.tokens * (size_t)s->value_dim * sizeof *exact);
  float *rows = malloc((size_t)c.tokens * (size_t)s->value_dim * sizeof *rows);
  delta_expected(&c, head, exact);
  for (int32_t t = 0; t < c.tokens; t++) {
    memcpy(rows + (int64_t)t * s->value_dim, expected + (int64_t)t * c.values + head * s->value_dim,
           (size_t)s->value_dim * sizeof *rows);
  }
  failed |= far("delta net", rows, exact, (int64_t)c.tokens * s->value_dim, 5e-5);
  for (int i = 0; i < contexts && !failed; i++) {
    memset(actual, 0xFF, (size_t)c.tokens * (size_t)c.values * sizeof *actual);
    failed |= delta_passes(&c, r, fast[i], actual, passes);
    failed |= differ("delta net in passes", actual, expected, (int64_t)c.tokens * c.values);
    if (!failed && memcmp(passes, exported, (size_t)bytes) != 0) {
      fprintf(stderr, "delta net in passes: another state\n");
      failed = 1;
    }
  }
  if (failed) {
    fprintf(stderr, "  delta net: %d tokens, key heads %d, value heads %d, key dim %d, value dim %d, kernel %d\n",
            c.tokens, s->key_heads, s->value_heads, s->key_dim, s->value_dim, s->kernel);
  }
  free(exact);
  free(rows);
  free(exported);
  free(passes);
  arena_free(&arena);
  return failed;
}

#endif
