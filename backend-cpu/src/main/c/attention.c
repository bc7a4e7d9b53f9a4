/*
 * Gated attention: see operations.h.
 *
 * Queries of all heads that share a key/value head read its cache together. A row's sum is made of
 * fixed spans of absolute positions, joined in order. So it is the same whether a thread takes some
 * queries through all spans (prefill) or the spans of a few queries are shared out and joined
 * afterwards (decoding, where there are only as many heads as keys and values have).
 */
#include "kv.h"

#include <math.h>
#include <stdlib.h>

/* -- Rotary embedding -- */

struct qn_rope {
  int32_t half;
  float factor;
  float *frequency; /* [half] */
  int32_t first;    /* positions whose turns are held */
  int32_t count;
  int32_t room;
  float *turns; /* [room, cos then sin, half] */
};

struct qn_rope *qn_rope_new(int32_t rotary, const float *inverse_frequency, float attention_factor) {
  struct qn_rope *rope = calloc(1, sizeof *rope);
  if (rope == NULL) {
    return NULL;
  }
  rope->half = rotary / 2;
  rope->factor = attention_factor;
  rope->frequency = malloc((size_t)(rope->half + 1) * sizeof *rope->frequency);
  if (rope->frequency == NULL) {
    free(rope);
    return NULL;
  }
  memcpy(rope->frequency, inverse_frequency, (size_t)rope->half * sizeof *rope->frequency);
  return rope;
}

void qn_rope_free(struct qn_rope *rope) {
  free(rope->frequency);
  free(rope->turns);
  free(rope);
}

/* Holds the turns of these positions: computed by the first layer of a pass, found by the others. */
static int hold_turns(struct qn_rope *rope, int32_t first, int32_t count) {
  if (rope->first <= first && first + count <= rope->first + rope->count) {
    return QN_OK;
  }
  rope->count = 0;
  if (count > rope->room) {
    float *turns = realloc(rope->turns, (size_t)count * 2 * (size_t)(rope->half + 1) * sizeof *turns);
    if (turns == NULL) {
      return QN_NO_MEMORY;
    }
    rope->turns = turns;
    rope->room = count;
  }
  float *to = rope->turns;
  for (int32_t p = first; p < first + count; p++, to += 2 * rope->half) {
    for (int32_t i = 0; i < rope->half; i++) {
      float angle = (float)p * rope->frequency[i];
      to[i] = (float)cos(angle) * rope->factor;
      to[rope->half + i] = (float)sin(angle) * rope->factor;
    }
  }
  rope->first = first;
  rope->count = count;
  return QN_OK;
}

/* -- One call -- */

struct attend {
  const struct qn_layer_kernels *kernels;
  const struct qn_attention *layer;
  struct qn_kv *kv;
  int32_t first, tokens;
  const float *q_gate, *k, *v;
  float *out;

  int32_t group; /* query heads of a key/value head */
  int32_t width; /* head_dim in whole lanes */
  int32_t block; /* tokens whose queries go through the cache together */
  int32_t blocks;
  int32_t spans;
  uint8_t *threads; /* each thread's scratch */
  size_t thread_bytes;

  /* Spans shared out: results per span of a section [spans, kv_heads, tokens, group], and joined. */
  int32_t section_first, section_spans;
  float *queries; /* [kv_heads, tokens, group, head_dim] */
  float *max, *sum, *values;
  float *all_max, *all_sum, *all_values;
};

/* Queries of tokens t to last - 1 for a key/value head, normed, turned and scaled. */
static void prepare_queries(const struct attend *c, int32_t kv_head, int32_t t, int32_t last, float *to) {
  const struct qn_attention *layer = c->layer;
  int32_t dim = layer->head_dim;
  int32_t half = layer->rope->half;
  float scale = (float)(1 / sqrt((double)dim));
  for (; t < last; t++) {
    const float *turns = layer->rope->turns + (int64_t)(c->first + t - layer->rope->first) * 2 * half;
    const float *from = c->q_gate + ((int64_t)t * layer->heads + kv_head * c->group) * 2 * dim;
    for (int32_t g = 0; g < c->group; g++, from += 2 * dim, to += dim) {
      c->kernels->norm_and_turn(dim, from, layer->q_norm, layer->eps, half, turns, turns + half, scale, to);
    }
  }
}

static void append(const struct attend *c, int32_t t, float *key) {
  const struct qn_attention *layer = c->layer;
  int32_t dim = layer->head_dim;
  int32_t half = layer->rope->half;
  int32_t position = c->first + t;
  const float *turns = layer->rope->turns + (int64_t)(position - layer->rope->first) * 2 * half;
  for (int32_t h = 0; h < layer->kv_heads; h++) {
    int64_t at = ((int64_t)t * layer->kv_heads + h) * dim;
    c->kernels->norm_and_turn(dim, c->k + at, layer->k_norm, layer->eps, half, turns, turns + half, 1, key);
    uint16_t *tile = qn_kv_tiles(c->kv, position / QN_PAGE, h) +
                     position % QN_PAGE / QN_TILE * qn_tile_numbers(dim);
    c->kernels->append(dim, key, c->v + at, position % QN_TILE, tile);
  }
}

/* A job has the positions of one vector of keys, so that no two write to the same cache line. */
static void append_job(void *argument, int32_t job, int32_t thread) {
  const struct attend *c = argument;
  int32_t from = (c->first / QN_LANES + job) * QN_LANES - c->first;
  int32_t to = from + QN_LANES < c->tokens ? from + QN_LANES : c->tokens;
  for (int32_t t = from < 0 ? 0 : from; t < to; t++) {
    append(c, t, (float *)(void *)(c->threads + (size_t)thread * c->thread_bytes));
    for (int32_t h = 0; c->queries != NULL && h < c->layer->kv_heads; h++) {
      prepare_queries(c, h, t, t + 1,
                      c->queries + ((int64_t)h * c->tokens + t) * c->group * c->layer->head_dim);
    }
  }
}

static void gate_row(const struct attend *c, int32_t t, int32_t head, float sum, const float *values) {
  int32_t dim = c->layer->head_dim;
  int64_t row = (int64_t)t * c->layer->heads + head;
  c->kernels->gate(dim, values, sum, c->q_gate + (2 * row + 1) * dim, c->out + row * dim);
}

/* Queries of tokens first_token to first_token + tokens - 1 against a span. */
static struct qn_attend_tiles span_run(const struct attend *c, int32_t first_token, int32_t tokens,
                                       int32_t kv_head, int32_t span) {
  int32_t positions = c->first + first_token + tokens - span * QN_PAGE;
  positions = positions < QN_PAGE ? positions : QN_PAGE;
  return (struct qn_attend_tiles){
      .head_dim = c->layer->head_dim,
      .tokens = tokens,
      .group = c->group,
      .first = c->first + first_token,
      .tiles_first = span * QN_PAGE,
      .tiles = (positions + QN_TILE - 1) / QN_TILE,
      .cache = qn_kv_tiles(c->kv, span, kv_head),
  };
}

static int32_t rows_in_lanes(const struct attend *c) { return qn_whole_lanes(c->block * c->group); }

/* Numbers of a thread's scratch: two sets of max, sum and values; factors, scores and queries. */
static size_t thread_numbers(const struct attend *c) {
  size_t rows = (size_t)rows_in_lanes(c);
  return rows * (size_t)(5 + 2 * c->width + QN_TILE + qn_whole_lanes(c->layer->head_dim));
}

/* -- A block of queries through all spans -- */

static void block_job(void *argument, int32_t job, int32_t thread) {
  const struct attend *c = argument;
  int32_t kv_head = job % c->layer->kv_heads;
  /* The last ones see most: they come first, so that no thread is left with one at the end. */
  int32_t block = c->blocks - 1 - job / c->layer->kv_heads;
  int32_t t = block * c->block;
  int32_t tokens = c->tokens - t < c->block ? c->tokens - t : c->block;
  int32_t rows = tokens * c->group;
  int32_t room = rows_in_lanes(c);
  float *max = (float *)(void *)(c->threads + (size_t)thread * c->thread_bytes);
  float *sum = max + room;
  float *all_max = sum + room;
  float *all_sum = all_max + room;
  float *factors = all_sum + room;
  float *values = factors + room;
  float *all_values = values + (int64_t)room * c->width;
  float *scores = all_values + (int64_t)room * c->width;
  float *queries = scores + (int64_t)room * QN_TILE;
  prepare_queries(c, kv_head, t, t + tokens, queries);
  for (int32_t r = 0; r < rows; r++) {
    all_max[r] = -INFINITY;
    all_sum[r] = 0;
  }
  memset(all_values, 0, (size_t)rows * (size_t)c->width * sizeof *all_values);
  for (int32_t span = 0; span * QN_PAGE < c->first + t + tokens; span++) {
    struct qn_attend_tiles run = span_run(c, t, tokens, kv_head, span);
    run.queries = queries;
    run.scores = scores;
    run.factors = factors;
    run.max = max;
    run.sum = sum;
    run.values = values;
    c->kernels->attend(&run);
    for (int32_t r = 0; r < rows; r++) {
      int64_t at = (int64_t)r * c->width;
      if (c->first + t + r / c->group >= span * QN_PAGE) {
        c->kernels->join(c->width, max[r], sum[r], values + at, &all_max[r], &all_sum[r], all_values + at);
      }
    }
  }
  for (int32_t r = 0; r < rows; r++) {
    gate_row(c, t + r / c->group, kv_head * c->group + r % c->group, all_sum[r],
             all_values + (int64_t)r * c->width);
  }
}

/* -- Spans shared out -- */

static int64_t section_row(const struct attend *c, int32_t span, int32_t kv_head, int32_t t) {
  return (((int64_t)span * c->layer->kv_heads + kv_head) * c->tokens + t) * c->group;
}

static void span_job(void *argument, int32_t job, int32_t thread) {
  const struct attend *c = argument;
  int32_t span = job % c->section_spans;
  int32_t kv_head = job / c->section_spans % c->layer->kv_heads;
  int32_t t = job / c->section_spans / c->layer->kv_heads * c->block;
  int32_t tokens = c->tokens - t < c->block ? c->tokens - t : c->block;
  int32_t first = (c->section_first + span) * QN_PAGE - c->first - t;
  if (first > 0) { /* the block's first tokens see nothing of the span */
    t += first;
    tokens -= first;
  }
  if (tokens <= 0) {
    return;
  }
  int64_t row = section_row(c, span, kv_head, t);
  int32_t room = rows_in_lanes(c);
  struct qn_attend_tiles run = span_run(c, t, tokens, kv_head, c->section_first + span);
  run.queries = c->queries + section_row(c, 0, kv_head, t) * c->layer->head_dim;
  run.factors = (float *)(void *)(c->threads + (size_t)thread * c->thread_bytes);
  run.scores = run.factors + room;
  run.max = c->max + row;
  run.sum = c->sum + row;
  run.values = c->values + row * c->width;
  c->kernels->attend(&run);
}

/* One row: a token's query head. Joins the section's spans; the last section's also ends it. */
static void join_job(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct attend *c = argument;
  int32_t t = job / c->layer->heads;
  int32_t head = job % c->layer->heads;
  int64_t row = section_row(c, 0, head / c->group, t) + head % c->group;
  float *values = c->all_values + row * c->width;
  if (c->section_first == 0) {
    c->all_max[row] = -INFINITY;
    c->all_sum[row] = 0;
    memset(values, 0, (size_t)c->width * sizeof *values);
  }
  for (int32_t s = 0; s < c->section_spans; s++) {
    if (c->first + t >= (c->section_first + s) * QN_PAGE) {
      int64_t part = section_row(c, s, head / c->group, t) + head % c->group;
      c->kernels->join(c->width, c->max[part], c->sum[part], c->values + part * c->width, &c->all_max[row],
                       &c->all_sum[row], values);
    }
  }
  if (c->section_first + c->section_spans == c->spans) {
    gate_row(c, t, head, c->all_sum[row], values);
  }
}

/* Results of at most so many bytes wait to be joined. */
#define SECTION_BYTES (16 << 20)

static int attend_spans(struct qn_context *context, struct attend *c) {
  int64_t rows = section_row(c, 1, 0, 0);
  int64_t row_bytes = (c->width + 2) * (int64_t)sizeof(float);
  int64_t most = SECTION_BYTES / (rows * row_bytes);
  int32_t section = most < 1 ? 1 : most < c->spans ? (int32_t)most : c->spans;
  c->max = qn_scratch(context, QN_SCRATCH_INNER, (size_t)(rows * row_bytes * section));
  c->all_max = qn_scratch(context, QN_SCRATCH_RESULT, (size_t)(rows * row_bytes));
  if (c->max == NULL || c->all_max == NULL) {
    return QN_NO_MEMORY;
  }
  c->sum = c->max + rows * section;
  c->values = c->sum + rows * section;
  c->all_sum = c->all_max + rows;
  c->all_values = c->all_sum + rows;
  for (c->section_first = 0; c->section_first < c->spans; c->section_first += section) {
    c->section_spans = c->spans - c->section_first < section ? c->spans - c->section_first : section;
    qn_pool_run(context->pool, c->section_spans * c->layer->kv_heads * c->blocks, span_job, c);
    qn_pool_run(context->pool, c->tokens * c->layer->heads, join_job, c);
  }
  return QN_OK;
}

/* Rows that go through the cache together: enough to use what is read of it, few enough that they
 * and their sums stay in the second-level cache. */
#define BLOCK_ROWS 96

int qn_attend(struct qn_context *context, const struct qn_attention *layer, struct qn_kv *kv, int32_t first,
              int32_t tokens, const float *q_gate, const float *k, const float *v, float *out) {
  int32_t threads = qn_pool_threads(context->pool);
  struct attend c = {
      .kernels = context->kernels->layer,
      .layer = layer,
      .kv = kv,
      .first = first,
      .tokens = tokens,
      .q_gate = q_gate,
      .k = k,
      .v = v,
      .out = out,
      .group = layer->heads / layer->kv_heads,
      .width = qn_whole_lanes(layer->head_dim),
      .spans = (first + tokens - 1) / QN_PAGE + 1,
  };
  c.block = c.group >= BLOCK_ROWS ? 1 : BLOCK_ROWS / c.group;
  c.blocks = (tokens + c.block - 1) / c.block;
  c.thread_bytes = (thread_numbers(&c) * sizeof(float) + 63) / 64 * 64;
  c.threads = qn_scratch(context, QN_SCRATCH_THREADS, (size_t)threads * c.thread_bytes);
  int share_spans = c.spans > 1 && layer->kv_heads * c.blocks < 2 * threads;
  if (share_spans) {
    size_t numbers = (size_t)tokens * (size_t)layer->heads * (size_t)layer->head_dim;
    c.queries = qn_scratch(context, QN_SCRATCH_INNER_2, numbers * sizeof(float));
  }
  if (c.threads == NULL || (share_spans && c.queries == NULL) || qn_kv_own(kv, first, tokens) != QN_OK ||
      hold_turns(layer->rope, first, tokens) != QN_OK) {
    return QN_NO_MEMORY;
  }
  qn_pool_run(context->pool, (first + tokens - 1) / QN_LANES - first / QN_LANES + 1, append_job, &c);
  if (share_spans) {
    return attend_spans(context, &c);
  }
  qn_pool_run(context->pool, layer->kv_heads * c.blocks, block_job, &c);
  return QN_OK;
}
