/*
 * A mixture of experts. Tokens are sorted by expert, so that each expert's weights are read once
 * per pass whatever the number of tokens; a slot (one token at one of its experts) waits for its
 * turn in the sum, so that the order of tokens and experts does not change a bit.
 *
 * The phases, each shared out over the threads:
 *
 *   scores      of all experts, and the shared expert's gate and up projections
 *   route       each token's best experts
 *   inner       gate and up projections of the experts that have tokens
 *   activate    silu(gate) * up, quantized
 *   down, sum   down projections, then the weighted sum token by token; for some columns of the
 *               output at a time, because results of all slots would be large
 *
 * The shared expert is one more expert that all tokens go to: its slots come after all others.
 */
#include "layer.h"
#include "operations.h"
#include "products.h"

#include <string.h>

/* Bytes that the results of one range of output columns may take. */
#define RESULTS (8 << 20)

/* Columns of one job of the sum. */
#define SUMMED 512

/* The tokens of one routed expert: slots first <= i < first + count. */
struct bucket {
  int32_t expert;
  int32_t first;
  int32_t count;
};

struct mixture {
  const struct qn_layer_kernels *kernels;
  int32_t tokens;
  int32_t chosen;
  int32_t hidden;
  struct bucket *buckets;
  int32_t bucket_count;
  int32_t *slots; /* [tokens * chosen]: the slot's token */
  int32_t *rows;  /* [tokens, chosen + 1]: the slots of a token, the shared expert's last */
  float *weights; /* [tokens, chosen + 1]: their weights */
  /* Of the down projections: the range of columns, and results [slots + tokens, columns]. */
  int32_t first_column;
  int32_t columns;
  const float *results;
  float *out;
};

/* Fills buckets, slots, rows and weights; "ends" [experts] is scratch memory. */
static void sort_by_expert(struct mixture *m, int32_t experts, const int32_t *numbers, const float *weights,
                           const float *shared_gates, int32_t *ends) {
  int32_t count = m->tokens * m->chosen;
  memset(ends, 0, (size_t)experts * sizeof *ends);
  for (int32_t i = 0; i < count; i++) {
    ends[numbers[i]]++;
  }
  int32_t from = 0;
  for (int32_t expert = 0; expert < experts; expert++) {
    int32_t size = ends[expert];
    if (size > 0) {
      m->buckets[m->bucket_count++] = (struct bucket){expert, from, size};
    }
    ends[expert] = from;
    from += size;
  }
  for (int32_t token = 0; token < m->tokens; token++) {
    int32_t *rows = m->rows + (int64_t)token * (m->chosen + 1);
    float *row_weights = m->weights + (int64_t)token * (m->chosen + 1);
    for (int32_t i = 0; i < m->chosen; i++) {
      rows[i] = ends[numbers[token * m->chosen + i]]++;
      row_weights[i] = weights[token * m->chosen + i];
      m->slots[rows[i]] = token;
    }
    rows[m->chosen] = count + token;
    row_weights[m->chosen] = shared_gates[token];
  }
}

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

/* The routed experts in the order of the token's slots, then the shared one. */
static void sum_job(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct mixture *m = argument;
  int32_t parts = (m->columns + SUMMED - 1) / SUMMED;
  int64_t token = job / parts;
  int32_t first = job % parts * SUMMED;
  m->kernels->weighted_sum(smaller(SUMMED, m->columns - first), m->chosen + 1, m->results + first, m->columns,
                           m->rows + token * (m->chosen + 1), m->weights + token * (m->chosen + 1),
                           m->out + token * m->hidden + m->first_column + first);
}

int qn_experts(struct qn_context *context, const struct qn_experts *e, const float *x, int32_t tokens,
               float *out) {
  int32_t experts = e->router->rows;
  int32_t hidden = e->router->columns;
  int32_t inner = e->gate_proj->rows;
  int32_t shared_inner = e->shared_gate_proj->rows;
  int32_t slots = tokens * e->chosen;
  struct mixture m = {context->kernels->layer, .tokens = tokens, .chosen = e->chosen, .hidden = hidden, .out = out};

  const struct qn_matrix *const readers[6] = {e->router,           e->gate_proj,      e->up_proj,
                                              e->shared_gate_proj, e->shared_up_proj, e->shared_expert_gate};
  struct qn_activations inputs[6];
  int status = qn_quantize(context, QN_SCRATCH_INPUT, x, hidden, tokens, readers, 6, inputs);
  if (status != QN_OK) {
    return status;
  }

  /* Small lists, in one block. */
  int32_t most_buckets = smaller(slots, experts);
  size_t lists = (size_t)tokens * (size_t)(experts + 1) + 3 * (size_t)slots + 2 * ((size_t)slots + (size_t)tokens) + (size_t)experts;
  struct qn_work *work = qn_scratch(context, QN_SCRATCH_LISTS,
                                    (2 * (size_t)most_buckets + 3) * sizeof *work +
                                        (size_t)most_buckets * sizeof *m.buckets + lists * sizeof(float));
  size_t inner_numbers = (size_t)slots * (size_t)inner + (size_t)tokens * (size_t)shared_inner;
  float *gated = qn_scratch(context, QN_SCRATCH_INNER, 2 * sizeof(float) * inner_numbers);
  if (work == NULL || gated == NULL) {
    return QN_NO_MEMORY;
  }
  m.buckets = (struct bucket *)(work + 2 * most_buckets + 3);
  float *scores = (float *)(m.buckets + most_buckets);
  float *shared_gates = scores + (int64_t)tokens * experts;
  float *weights = shared_gates + tokens;
  m.weights = weights + slots;
  int32_t *numbers = (int32_t *)(m.weights + slots + tokens);
  m.slots = numbers + slots;
  m.rows = m.slots + slots;
  int32_t *ends = m.rows + slots + tokens;
  float *upped = gated + inner_numbers;
  float *shared_gated = gated + (int64_t)slots * inner;
  float *shared_upped = upped + (int64_t)slots * inner;

  work[0] = qn_work_of(e->router, &inputs[0], tokens, scores);
  work[1] = qn_work_of(e->shared_expert_gate, &inputs[5], tokens, shared_gates);
  work[2] = qn_work_of(e->shared_gate_proj, &inputs[3], tokens, shared_gated);
  work[3] = qn_work_of(e->shared_up_proj, &inputs[4], tokens, shared_upped);
  qn_multiply_each(context, work, 4);
  m.kernels->sigmoid(tokens, shared_gates, shared_gates);
  status = qn_route(context, tokens, experts, e->chosen, e->renormalise, scores, numbers, weights);
  if (status != QN_OK) {
    return status;
  }
  sort_by_expert(&m, experts, numbers, weights, shared_gates, ends);

  for (int32_t i = 0; i < m.bucket_count; i++) {
    const struct bucket *b = &m.buckets[i];
    work[2 * i] = qn_work_of(e->gate_proj, &inputs[1], b->count, gated + (int64_t)b->first * inner);
    work[2 * i + 1] = qn_work_of(e->up_proj, &inputs[2], b->count, upped + (int64_t)b->first * inner);
    for (int32_t k = 2 * i; k <= 2 * i + 1; k++) {
      work[k].product.expert = b->expert;
      work[k].product.tokens = m.slots + b->first;
    }
  }
  qn_multiply_each(context, work, 2 * m.bucket_count);

  qn_swiglu(context, (int64_t)inner_numbers, gated, upped, gated);
  struct qn_activations routed, shared;
  status = qn_quantize(context, QN_SCRATCH_INPUT_2, gated, inner, slots, &e->down_proj, 1, &routed);
  if (status == QN_OK) {
    status = qn_quantize(context, QN_SCRATCH_INPUT, shared_gated, shared_inner, tokens, &e->shared_down_proj, 1, &shared);
  }

  /* As many columns at a time as the results have room for. */
  int32_t whole = (int32_t)(RESULTS / sizeof(float) / (size_t)(slots + tokens)) / 64 * 64;
  whole = smaller(whole < 64 ? 64 : whole, hidden);
  float *results = qn_scratch(context, QN_SCRATCH_RESULT, sizeof(float) * (size_t)(slots + tokens) * (size_t)whole);
  if (status != QN_OK || results == NULL) {
    return QN_NO_MEMORY;
  }
  m.results = results;
  for (; m.first_column < hidden; m.first_column += whole) {
    m.columns = smaller(whole, hidden - m.first_column);
    for (int32_t i = 0; i <= m.bucket_count; i++) {
      if (i < m.bucket_count) {
        const struct bucket *b = &m.buckets[i];
        struct qn_activations mine = qn_from_row(&routed, b->first);
        work[i] = qn_work_of(e->down_proj, &mine, b->count, results + (int64_t)b->first * m.columns);
        work[i].product.expert = b->expert;
      } else {
        work[i] = qn_work_of(e->shared_down_proj, &shared, tokens, results + (int64_t)slots * m.columns);
      }
      work[i].first = m.first_column;
      work[i].last = m.first_column + m.columns;
      work[i].product.out -= m.first_column;
      work[i].product.out_stride = m.columns;
    }
    qn_multiply_each(context, work, m.bucket_count + 1);
    qn_pool_run(context->pool, tokens * ((m.columns + SUMMED - 1) / SUMMED), sum_job, &m);
  }
  return QN_OK;
}
