#include "products.h"

/* Tokens that one job takes: their activations stay in a core's second cache. */
#define SLICE 256

struct linear {
  const struct qn_kernels *kernels;
  const struct qn_matrix *w;
  const struct qn_activations *x;
  int32_t tokens;
  int32_t rows; /* of one job */
  int32_t row_jobs;
  float *out;
};

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

static void linear_job(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct linear *l = argument;
  int32_t first = job % l->row_jobs * l->rows;
  int32_t token = job / l->row_jobs * SLICE;
  struct qn_activations x = qn_from_row(l->x, token);
  l->kernels->multiply(l->w, 0, first, smaller(first + l->rows, l->w->rows), &x, NULL,
                       smaller(SLICE, l->tokens - token), l->out + (int64_t)token * l->w->rows,
                       l->w->rows, NULL);
}

void qn_multiply_all(struct qn_context *context, const struct qn_matrix *w,
                     const struct qn_activations *x, int32_t tokens, float *out) {
  int32_t rows = qn_rows_per_job(context, w->rows, w->columns);
  int32_t row_jobs = (w->rows + rows - 1) / rows;
  struct linear l = {context->kernels, w, x, tokens, rows, row_jobs, out};
  qn_pool_run(context->pool, row_jobs * ((tokens + SLICE - 1) / SLICE), linear_job, &l);
}

int qn_linear(struct qn_context *context, const struct qn_matrix *w, const float *x, int32_t tokens,
              float *out) {
  struct qn_activations input;
  int status = qn_quantize(context, QN_SCRATCH_INPUT, x, w->columns, tokens, &w, 1, &input);
  if (status == QN_OK) {
    qn_multiply_all(context, w, &input, tokens, out);
  }
  return status;
}
