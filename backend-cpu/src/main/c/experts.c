/*
 * A mixture of experts. Tokens are sorted by expert, so that each expert's weights are read once
 * per pass whatever the number of tokens; a slot (one token at one of its experts) waits for its
 * turn in the sum, so that the order of tokens and experts does not change a bit.
 *
 * The phases, each shared out over the threads:
 *
 *   router      scores of all experts, then each token's best
 *   inner       gate and up projection by (expert, some rows)
 *   activate    silu(gate) * up, quantized, slot by slot
 *   down, sum   down projection by (expert, some rows), then the weighted sum token by token; for
 *               some columns of the output at a time, because results of all slots would be large
 *
 * The shared expert is one more expert that all tokens go to.
 */
#include "layer.h"
#include "operations.h"
#include "products.h"

#include <string.h>

/* Bytes that the results of one range of output columns may take. */
#define RESULTS (8 << 20)

/* The tokens of one expert. */
struct bucket {
  const struct qn_matrix *gate;
  const struct qn_matrix *up;
  const struct qn_matrix *down;
  int32_t expert;
  int32_t count;
  const int32_t *tokens; /* rows of x; NULL for all in order */
  const struct qn_activations *gate_input;
  const struct qn_activations *up_input;
  float *gated; /* [count, inner] */
  float *upped;
  struct qn_activations inner; /* [count], of gated once that is activated */
  float *results;
};

struct mixture {
  const struct qn_kernels *kernels;
  const struct qn_experts *e;
  int32_t tokens;
  int32_t hidden;
  const float *x;
  float *scores;
  int32_t *chosen; /* [tokens, chosen], the best first */
  float *weights;
  int32_t *position; /* [tokens, chosen]: where the slot stands in the order by expert */
  struct bucket *buckets;
  int32_t bucket_count;
  int32_t rows; /* of one job */
  int32_t *job_bucket;
  int32_t *job_row;
  int32_t first_column; /* of the range */
  int32_t columns;
  float *shared_gates; /* [tokens] */
  const float **rows_of; /* [tokens, chosen + 1]: what each token sums */
  float *weights_of;
  float *out;
};

/* Fills the routed experts' buckets; "slots" receives the tokens in the order by expert. */
static void sort_by_expert(struct mixture *m, int32_t *slots, int32_t *ends) {
  int32_t experts = m->e->router->rows;
  int32_t count = m->tokens * m->e->chosen;
  memset(ends, 0, (size_t)experts * sizeof *ends);
  for (int32_t i = 0; i < count; i++) {
    ends[m->chosen[i]]++;
  }
  int32_t from = 0;
  for (int32_t expert = 0; expert < experts; expert++) {
    int32_t size = ends[expert];
    if (size > 0) {
      m->buckets[m->bucket_count++] = (struct bucket){.expert = expert, .count = size, .tokens = slots + from};
    }
    ends[expert] = from;
    from += size;
  }
  for (int32_t i = 0; i < count; i++) {
    int32_t at = ends[m->chosen[i]]++;
    slots[at] = i / m->e->chosen;
    m->position[i] = at;
  }
}

/* Jobs by (bucket, rows of its matrices). */
static int32_t list_jobs(struct mixture *m, int32_t routed_rows, int32_t shared_rows) {
  int32_t jobs = 0;
  for (int32_t b = 0; b < m->bucket_count; b++) {
    int32_t rows = b == m->bucket_count - 1 ? shared_rows : routed_rows;
    for (int32_t row = 0; row < rows; row += m->rows) {
      m->job_bucket[jobs] = b;
      m->job_row[jobs++] = row;
    }
  }
  return jobs;
}

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

static void inner_job(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct mixture *m = argument;
  const struct bucket *b = &m->buckets[m->job_bucket[job]];
  int32_t first = m->job_row[job];
  int32_t last = smaller(first + m->rows, b->gate->rows);
  m->kernels->multiply(b->gate, b->expert, first, last, b->gate_input, b->tokens, b->count, b->gated,
                       b->gate->rows, NULL);
  m->kernels->multiply(b->up, b->expert, first, last, b->up_input, b->tokens, b->count, b->upped,
                       b->gate->rows, NULL);
}

static void down_job(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct mixture *m = argument;
  const struct bucket *b = &m->buckets[m->job_bucket[job]];
  int32_t first = m->first_column + m->job_row[job];
  int32_t last = smaller(first + m->rows, m->first_column + m->columns);
  m->kernels->multiply(b->down, b->expert, first, last, &b->inner, NULL, b->count,
                       b->results - m->first_column, m->columns, NULL);
}

/* The routed experts in the order of the token's slots, then the shared one. */
static void sum_job(void *argument, int32_t token, int32_t thread) {
  (void)thread;
  const struct mixture *m = argument;
  int32_t chosen = m->e->chosen;
  const float **rows = m->rows_of + (int64_t)token * (chosen + 1);
  float *weights = m->weights_of + (int64_t)token * (chosen + 1);
  for (int32_t i = 0; i < chosen; i++) {
    int64_t slot = (int64_t)token * chosen + i;
    rows[i] = m->buckets[0].results + (int64_t)m->position[slot] * m->columns;
    weights[i] = m->weights[slot];
  }
  rows[chosen] = m->buckets[m->bucket_count - 1].results + (int64_t)token * m->columns;
  weights[chosen] = m->shared_gates[token];
  m->kernels->layer->weighted_sum(m->columns, chosen + 1, rows, weights,
                                  m->out + (int64_t)token * m->hidden + m->first_column);
}

int qn_experts(struct qn_context *context, const struct qn_experts *e, const float *x, int32_t tokens,
               float *out) {
  int32_t experts = e->router->rows;
  int32_t hidden = e->router->columns;
  int32_t inner = e->gate_proj->rows;
  int32_t shared_inner = e->shared_gate_proj->rows;
  int32_t slots = tokens * e->chosen;
  struct mixture m = {.kernels = context->kernels, .e = e, .tokens = tokens, .hidden = hidden, .x = x, .out = out};

  const struct qn_matrix *const readers[6] = {e->router,           e->gate_proj,      e->up_proj,
                                              e->shared_gate_proj, e->shared_up_proj, e->shared_expert_gate};
  struct qn_activations inputs[6];
  int status = qn_quantize(context, QN_SCRATCH_INPUT, x, hidden, tokens, readers, 6, inputs);
  if (status != QN_OK) {
    return status;
  }

  /* Small lists, in one block. */
  int32_t most_buckets = smaller(slots, experts) + 1;
  int32_t widest = hidden > inner ? hidden : inner;
  m.rows = qn_rows_per_job(context, most_buckets * inner, hidden);
  int32_t most_jobs = most_buckets * ((widest > shared_inner ? widest : shared_inner) / m.rows + 1);
  size_t summed = (size_t)slots + (size_t)tokens;
  size_t numbers = (size_t)tokens * (size_t)experts + 4 * (size_t)slots + summed + (size_t)tokens +
                   (size_t)experts + 2 * (size_t)most_jobs;
  m.buckets = qn_scratch(context, QN_SCRATCH_LISTS,
                         (size_t)most_buckets * sizeof *m.buckets + summed * sizeof *m.rows_of + numbers * 4);
  float *gated = qn_scratch(context, QN_SCRATCH_INNER,
                            2 * sizeof(float) * ((size_t)slots * (size_t)inner + (size_t)tokens * (size_t)shared_inner));
  if (m.buckets == NULL || gated == NULL) {
    return QN_NO_MEMORY;
  }
  m.rows_of = (const float **)(m.buckets + most_buckets);
  m.scores = (float *)(m.rows_of + summed);
  m.weights_of = m.scores + (size_t)tokens * (size_t)experts;
  m.weights = m.weights_of + summed;
  m.shared_gates = m.weights + slots;
  m.chosen = (int32_t *)(m.shared_gates + tokens);
  m.position = m.chosen + slots;
  int32_t *sorted = m.position + slots;
  int32_t *ends = sorted + slots;
  m.job_bucket = ends + experts;
  m.job_row = m.job_bucket + most_jobs;

  qn_multiply_all(context, e->router, &inputs[0], tokens, m.scores);
  qn_multiply_all(context, e->shared_expert_gate, &inputs[5], tokens, m.shared_gates);
  context->kernels->layer->sigmoid(tokens, m.shared_gates, m.shared_gates);
  status = qn_route(context, tokens, experts, e->chosen, e->renormalise, m.scores, m.chosen, m.weights);
  if (status != QN_OK) {
    return status;
  }
  sort_by_expert(&m, sorted, ends);

  float *upped = gated + (size_t)slots * (size_t)inner;
  float *shared_gated = upped + (size_t)slots * (size_t)inner;
  float *shared_upped = shared_gated + (size_t)tokens * (size_t)shared_inner;
  int32_t from = 0;
  for (int32_t i = 0; i < m.bucket_count; i++) {
    struct bucket *b = &m.buckets[i];
    b->gate = e->gate_proj;
    b->up = e->up_proj;
    b->down = e->down_proj;
    b->gate_input = &inputs[1];
    b->up_input = &inputs[2];
    b->gated = gated + (int64_t)from * inner;
    b->upped = upped + (int64_t)from * inner;
    from += b->count;
  }
  m.buckets[m.bucket_count++] = (struct bucket){.gate = e->shared_gate_proj,
                                                .up = e->shared_up_proj,
                                                .down = e->shared_down_proj,
                                                .count = tokens,
                                                .gate_input = &inputs[3],
                                                .up_input = &inputs[4],
                                                .gated = shared_gated,
                                                .upped = shared_upped};
  struct bucket *shared = &m.buckets[m.bucket_count - 1];
  qn_pool_run(context->pool, list_jobs(&m, inner, shared_inner), inner_job, &m);

  qn_swiglu(context, (int64_t)slots * inner, gated, upped, gated);
  qn_swiglu(context, (int64_t)tokens * shared_inner, shared_gated, shared_upped, shared_gated);
  struct qn_activations routed;
  status = qn_quantize(context, QN_SCRATCH_INPUT_2, gated, inner, slots, &e->down_proj, 1, &routed);
  if (status == QN_OK) {
    status = qn_quantize(context, QN_SCRATCH_INPUT, shared_gated, shared_inner, tokens, &e->shared_down_proj, 1,
                         &shared->inner);
  }

  /* As many columns at a time as the results have room for. */
  m.columns = (int32_t)(RESULTS / sizeof(float) / (size_t)(slots + tokens)) / m.rows * m.rows;
  m.columns = smaller(m.columns < m.rows ? m.rows : m.columns, hidden);
  float *results = qn_scratch(context, QN_SCRATCH_RESULT, sizeof(float) * (size_t)(slots + tokens) * (size_t)m.columns);
  if (status != QN_OK || results == NULL) {
    return QN_NO_MEMORY;
  }
  int32_t whole = m.columns;
  for (; m.first_column < hidden; m.first_column += whole) {
    m.columns = smaller(whole, hidden - m.first_column);
    int32_t row = 0;
    for (int32_t i = 0; i < m.bucket_count; i++) {
      struct bucket *b = &m.buckets[i];
      b->results = results + (int64_t)row * m.columns;
      if (b != shared) {
        b->inner = qn_from_row(&routed, row);
      }
      row += b->count;
    }
    qn_pool_run(context->pool, list_jobs(&m, m.columns, m.columns), down_job, &m);
    qn_pool_run(context->pool, tokens, sum_job, &m);
  }
  return QN_OK;
}
