/* Operations on rows of numbers: see operations.h. */
#include "layer.h"
#include "operations.h"

#include <math.h>

/* A job has about so many numbers, so that handing it out costs little beside it. */
#define GRAIN 4096

static int32_t rows_per_job(int32_t columns) { return columns >= GRAIN ? 1 : GRAIN / (columns < 1 ? 1 : columns); }

static int32_t jobs_of(int32_t rows, int32_t per_job) { return (rows + per_job - 1) / per_job; }

struct add_norm {
  const struct qn_layer_kernels *kernels;
  int32_t tokens, columns, per_job;
  const float *residual, *delta, *weight;
  float eps;
  float *sum, *normed;
};

static void add_norm(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct add_norm *c = argument;
  for (int32_t t = job * c->per_job; t < (job + 1) * c->per_job && t < c->tokens; t++) {
    int64_t at = (int64_t)t * c->columns;
    c->kernels->add_norm(c->columns, c->residual + at, c->delta == NULL ? NULL : c->delta + at, c->weight, c->eps,
                         c->sum == NULL ? NULL : c->sum + at, c->normed + at);
  }
}

int qn_add_norm(struct qn_context *context, int32_t tokens, int32_t columns, const float *residual,
                const float *delta, const float *weight, float eps, float *sum, float *normed) {
  struct add_norm call = {context->kernels->layer, tokens, columns, rows_per_job(columns), residual, delta, weight,
                          eps, sum, normed};
  qn_pool_run(context->pool, jobs_of(tokens, call.per_job), add_norm, &call);
  return QN_OK;
}

struct swiglu {
  const struct qn_layer_kernels *kernels;
  int64_t count;
  const float *gate, *up;
  float *out;
};

static void swiglu(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct swiglu *c = argument;
  int64_t at = (int64_t)job * GRAIN;
  int64_t n = c->count - at < GRAIN ? c->count - at : GRAIN;
  c->kernels->swiglu((int32_t)n, c->gate + at, c->up + at, c->out + at);
}

int qn_swiglu(struct qn_context *context, int64_t count, const float *gate, const float *up, float *out) {
  struct swiglu call = {context->kernels->layer, count, gate, up, out};
  qn_pool_run(context->pool, (int32_t)((count + GRAIN - 1) / GRAIN), swiglu, &call);
  return QN_OK;
}

int qn_concat(struct qn_context *context, int32_t tokens, int32_t a_columns, const float *a, int32_t b_columns,
              const float *b, float *out) {
  (void)context;
  for (int64_t t = 0; t < tokens; t++) {
    memcpy(out, a + t * a_columns, (size_t)a_columns * sizeof *out);
    memcpy(out + a_columns, b + t * b_columns, (size_t)b_columns * sizeof *out);
    out += a_columns + b_columns;
  }
  return QN_OK;
}

struct route {
  const struct qn_layer_kernels *kernels;
  int32_t tokens, experts, chosen, renormalise, per_job;
  const float *logits;
  int32_t *numbers;
  float *weights;
  int64_t *keys; /* [threads, chosen] */
};

static void route(void *argument, int32_t job, int32_t thread) {
  const struct route *c = argument;
  int64_t *keys = c->keys + (int64_t)thread * c->chosen;
  for (int32_t t = job * c->per_job; t < (job + 1) * c->per_job && t < c->tokens; t++) {
    const float *logits = c->logits + (int64_t)t * c->experts;
    int32_t *numbers = c->numbers + (int64_t)t * c->chosen;
    float *weights = c->weights + (int64_t)t * c->chosen;
    c->kernels->top(c->experts, logits, 0, c->chosen, 0, keys);
    for (int32_t i = 0; i < c->chosen; i++) {
      numbers[i] = qn_key_index(keys[i]);
      weights[i] = logits[numbers[i]];
    }
    float max = weights[0];
    float sum = c->kernels->exponential_sum(c->experts, logits, max);
    c->kernels->exponentials(c->chosen, weights, max, weights);
    float total = 0;
    for (int32_t i = 0; i < c->chosen; i++) {
      weights[i] /= sum;
      total += weights[i];
    }
    for (int32_t i = 0; c->renormalise && i < c->chosen; i++) {
      weights[i] /= total;
    }
  }
}

int qn_route(struct qn_context *context, int32_t tokens, int32_t experts, int32_t chosen, int32_t renormalise,
             const float *logits, int32_t *numbers, float *weights) {
  size_t bytes = (size_t)qn_pool_threads(context->pool) * (size_t)chosen * sizeof(int64_t);
  struct route call = {context->kernels->layer, tokens, experts, chosen, renormalise, rows_per_job(experts),
                       logits, numbers, weights, qn_scratch(context, QN_SCRATCH_THREADS, bytes)};
  if (call.keys == NULL) {
    return QN_NO_MEMORY;
  }
  qn_pool_run(context->pool, jobs_of(tokens, call.per_job), route, &call);
  return QN_OK;
}

struct top {
  const struct qn_layer_kernels *kernels;
  int32_t columns, spans, k;
  const float *x;
  int64_t *keys; /* [rows, spans, k] */
  int32_t *held; /* [rows, spans] */
};

static void top(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct top *c = argument;
  int32_t from = job % c->spans * GRAIN;
  int32_t n = c->columns - from < GRAIN ? c->columns - from : GRAIN;
  const float *x = c->x + (int64_t)(job / c->spans) * c->columns + from;
  c->held[job] = c->kernels->top(n, x, from, c->k, 0, c->keys + (int64_t)job * c->k);
}

/* The largest of sorted lists, the largest first: keys are all different. */
static void merge(const struct top *c, int32_t row, int32_t *taken, int32_t *indices, float *values) {
  for (int32_t s = 0; s < c->spans; s++) {
    taken[s] = 0;
  }
  for (int32_t i = 0; i < c->k; i++) {
    int64_t best = INT64_MIN;
    int32_t of = 0;
    for (int32_t s = 0; s < c->spans; s++) {
      int32_t job = row * c->spans + s;
      if (taken[s] < c->held[job] && c->keys[(int64_t)job * c->k + taken[s]] > best) {
        best = c->keys[(int64_t)job * c->k + taken[s]];
        of = s;
      }
    }
    taken[of]++;
    indices[i] = qn_key_index(best);
    values[i] = c->x[(int64_t)row * c->columns + indices[i]];
  }
}

int qn_top(struct qn_context *context, int32_t rows, int32_t columns, const float *x, int32_t k, int32_t *indices,
           float *values) {
  struct top call = {context->kernels->layer, columns, (columns + GRAIN - 1) / GRAIN, k, x, NULL, NULL};
  int32_t jobs = rows * call.spans;
  call.keys = qn_scratch(context, QN_SCRATCH_RESULT, (size_t)jobs * (size_t)k * sizeof *call.keys);
  call.held = qn_scratch(context, QN_SCRATCH_LISTS, (size_t)(jobs + call.spans) * sizeof *call.held);
  if (call.keys == NULL || call.held == NULL) {
    return QN_NO_MEMORY;
  }
  qn_pool_run(context->pool, jobs, top, &call);
  for (int32_t r = 0; r < rows; r++) {
    merge(&call, r, call.held + jobs, indices + (int64_t)r * k, values + (int64_t)r * k);
  }
  return QN_OK;
}
