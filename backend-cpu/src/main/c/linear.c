/* Products shared out over the threads: see products.h. */
#include "products.h"

/* Tokens that one job takes: their activations stay in a core's second cache. */
#define SLICE 256

/*
 * Rows and weights that one job has at least: fewer would be handed out longer than multiplied (a
 * small model's whole matrix may be), and more would keep threads waiting for the last one.
 */
#define ROWS 64
#define WEIGHTS 65536

struct round {
  const struct qn_kernels *kernels;
  const struct qn_work *work;
  int32_t count;
};

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

/* Rows by rows, the slices of tokens of the same rows one behind the other: those find the weights in a cache. */
static void work_job(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct round *round = argument;
  int32_t low = 0;
  for (int32_t high = round->count; high - low > 1;) {
    int32_t middle = (low + high) / 2;
    if (round->work[middle].job <= job) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const struct qn_work *w = &round->work[low];
  job -= w->job;
  int32_t first = w->first + job / w->slices * w->rows;
  int32_t token = job % w->slices * SLICE;
  struct qn_product p = w->product;
  p.count = smaller(SLICE, p.count - token);
  p.out += token * p.out_stride;
  if (p.tokens == NULL) {
    p.x = qn_from_row(&p.x, token);
  } else {
    p.tokens += token;
  }
  round->kernels->multiply(&p, first, smaller(first + w->rows, w->last));
}

struct qn_work qn_work_of(const struct qn_matrix *w, const struct qn_activations *x, int32_t tokens, float *out) {
  return (struct qn_work){
      .product = {.matrix = w, .count = tokens, .x = *x, .out = out, .out_stride = w->rows}, .last = w->rows};
}

void qn_multiply_each(struct qn_context *context, struct qn_work *work, int32_t count) {
  int32_t jobs = 0;
  for (int32_t i = 0; i < count; i++) {
    struct qn_work *w = &work[i];
    const struct qn_matrix *m = w->product.matrix;
    int32_t rows = (WEIGHTS / m->columns + 15) / 16 * 16;
    w->rows = rows < ROWS ? ROWS : rows;
    w->slices = (w->product.count + SLICE - 1) / SLICE;
    w->job = jobs;
    jobs += (w->last - w->first + w->rows - 1) / w->rows * w->slices;
    w->product.next = NULL;
    if (i + 1 < count && work[i + 1].first == 0) {
      w->product.next = &work[i + 1].product.matrix->planes[work[i + 1].product.expert];
    }
  }
  struct round round = {context->kernels, work, count};
  qn_pool_run(context->pool, jobs, work_job, &round);
}

int qn_linear(struct qn_context *context, const struct qn_matrix *w, const float *x, int32_t tokens,
              float *out) {
  struct qn_activations input;
  int status = qn_quantize(context, QN_SCRATCH_INPUT, x, w->columns, tokens, &w, 1, &input);
  if (status == QN_OK) {
    struct qn_work work = qn_work_of(w, &input, tokens, out);
    qn_multiply_each(context, &work, 1);
  }
  return status;
}
