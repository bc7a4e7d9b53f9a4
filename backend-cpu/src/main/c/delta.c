/*
 * The gated delta net: see operations.h. Per token and value head, with S [value_dim, key_dim]:
 *
 *   S = g S;  delta = beta (v - S k);  S = S + delta k^T;  o = S q
 *
 * Sources: arXiv 2412.06464, and the reference backend. Since S q = g (S_before q) + (k . q) delta,
 * one step over S adds what the token before did and multiplies with k and q of this one: a token
 * in decoding reads and writes S once, and in a prefill it stays in the nearest cache for all
 * tokens of a chunk.
 *
 * A state's matrices lie by value head, then by groups of "delta_blocks" vectors of 16 value rows
 * (the last may be narrower), then [key_dim, rows of the group]: the lanes are value rows, so no
 * sum crosses them, and a step reads memory in the order in which it lies.
 */
#include "layer.h"
#include "operations.h"

#include <math.h>
#include <stdlib.h>

/* What an undoable pass adds: decay * S + k delta^T, token after token. */
struct records {
  float *k;     /* [QN_MAX_VERIFY, key_heads, key_dim] */
  float *delta; /* [QN_MAX_VERIFY, value_heads, value_dim in whole lanes] */
  float *decay; /* [QN_MAX_VERIFY, value_heads] */
};

struct qn_delta_state {
  struct qn_delta_shape shape;
  const struct qn_layer_kernels *kernels;
  int32_t width;    /* value_dim in whole lanes */
  int32_t channels; /* of q, k, v */
  int32_t rows;     /* of inputs */
  float *memory;    /* all of the following */
  size_t numbers;
  float *matrices;
  float *inputs;             /* [rows, channels]: the input of position p is in row p modulo rows */
  struct records records[2]; /* of the pass to be added, and of the one that is running */
  int32_t current;
  int32_t pending; /* tokens of records[current] that were accepted and are not yet in S */
  int32_t running; /* tokens of records[1 - current] */
};

static int64_t matrix_numbers(const struct qn_delta_state *s) { return (int64_t)s->width * s->shape.key_dim; }

struct qn_delta_state *qn_delta_new(const struct qn_context *context, const struct qn_delta_shape *shape) {
  struct qn_delta_state *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return NULL;
  }
  s->shape = *shape;
  s->kernels = context->kernels->layer;
  s->width = qn_whole_lanes(shape->value_dim);
  s->channels = 2 * shape->key_heads * shape->key_dim + shape->value_heads * shape->value_dim;
  /* The oldest input that the first token needs, and those of the longest pass that may be undone. */
  s->rows = QN_MAX_VERIFY + shape->kernel - 1;
  size_t parts[] = {
      (size_t)shape->value_heads * (size_t)matrix_numbers(s),
      (size_t)s->rows * (size_t)s->channels,
      (size_t)QN_MAX_VERIFY * (size_t)shape->key_heads * (size_t)shape->key_dim,
      (size_t)QN_MAX_VERIFY * (size_t)shape->value_heads * (size_t)s->width,
      (size_t)QN_MAX_VERIFY * (size_t)shape->value_heads,
      (size_t)QN_MAX_VERIFY * (size_t)shape->key_heads * (size_t)shape->key_dim,
      (size_t)QN_MAX_VERIFY * (size_t)shape->value_heads * (size_t)s->width,
      (size_t)QN_MAX_VERIFY * (size_t)shape->value_heads,
  };
  float **places[] = {&s->matrices,         &s->inputs,           &s->records[0].k,     &s->records[0].delta,
                      &s->records[0].decay, &s->records[1].k,     &s->records[1].delta, &s->records[1].decay};
  for (int i = 0; i < 8; i++) {
    parts[i] = (parts[i] + 15) / 16 * 16;
    s->numbers += parts[i];
  }
  s->memory = aligned_alloc(64, s->numbers * sizeof(float));
  if (s->memory == NULL) {
    free(s);
    return NULL;
  }
  float *at = s->memory;
  for (int i = 0; i < 8; i++) {
    *places[i] = at;
    at += parts[i];
  }
  qn_delta_clear(s);
  return s;
}

void qn_delta_free(struct qn_delta_state *s) {
  free(s->memory);
  free(s);
}

/* What lasts: matrices and inputs. Records are written before they are read. */
static size_t lasting(const struct qn_delta_state *s) { return (size_t)(s->records[0].k - s->memory); }

void qn_delta_clear(struct qn_delta_state *s) {
  memset(s->memory, 0, lasting(s) * sizeof *s->memory);
  s->pending = 0;
  s->running = 0;
}

void qn_delta_accept(struct qn_delta_state *s, int32_t n) {
  if (s->running > 0) {
    s->current = 1 - s->current;
    s->pending = n;
    s->running = 0;
  }
}

int64_t qn_delta_bytes(const struct qn_delta_state *s) { return (int64_t)(s->numbers * sizeof *s->memory); }

/* -- Groups of value rows -- */

static int32_t groups_of(const struct qn_delta_state *s) {
  int32_t rows = s->kernels->delta_blocks * QN_LANES;
  return (s->width + rows - 1) / rows;
}

static int32_t group_rows(const struct qn_delta_state *s, int32_t group) {
  int32_t rows = s->kernels->delta_blocks * QN_LANES;
  return s->width - group * rows < rows ? s->width - group * rows : rows;
}

static float *group_matrix(const struct qn_delta_state *s, int32_t value_head, int32_t group) {
  return s->matrices + value_head * matrix_numbers(s) +
         (int64_t)group * s->kernels->delta_blocks * QN_LANES * s->shape.key_dim;
}

/* What record t of r adds to a group. */
static void add_record(const struct qn_delta_state *s, const struct records *r, int32_t t, int32_t value_head,
                       int32_t group, const float *k, const float *q, float *sk, float *sq) {
  const struct qn_delta_shape *shape = &s->shape;
  int32_t key_head = value_head / (shape->value_heads / shape->key_heads);
  float *matrix = group_matrix(s, value_head, group);
  s->kernels->delta_step(shape->key_dim, group_rows(s, group) / QN_LANES, matrix, matrix,
                         r->decay[(int64_t)t * shape->value_heads + value_head],
                         r->k + ((int64_t)t * shape->key_heads + key_head) * shape->key_dim,
                         r->delta + ((int64_t)t * shape->value_heads + value_head) * s->width +
                             (int64_t)group * s->kernels->delta_blocks * QN_LANES,
                         k, q, sk, sq);
}

static void settle_job(void *argument, int32_t value_head, int32_t thread) {
  (void)thread;
  const struct qn_delta_state *s = argument;
  for (int32_t group = 0; group < groups_of(s); group++) {
    for (int32_t t = 0; t < s->pending; t++) {
      add_record(s, &s->records[s->current], t, value_head, group, NULL, NULL, NULL, NULL);
    }
  }
}

/* Adds what was accepted. */
static void settle(struct qn_context *context, struct qn_delta_state *s) {
  if (s->pending > 0) {
    qn_pool_run(context->pool, s->shape.value_heads, settle_job, s);
    s->pending = 0;
  }
}

/* -- Copies -- */

struct qn_delta_state *qn_delta_fork(struct qn_context *context, struct qn_delta_state *s) {
  settle(context, s);
  struct qn_delta_state *fork = qn_delta_new(context, &s->shape);
  if (fork != NULL) {
    memcpy(fork->memory, s->memory, lasting(s) * sizeof *s->memory);
  }
  return fork;
}

int64_t qn_delta_export_bytes(const struct qn_delta_state *s) {
  const struct qn_delta_shape *shape = &s->shape;
  return (int64_t)sizeof(float) * ((int64_t)shape->value_heads * shape->value_dim * shape->key_dim +
                                   (int64_t)(shape->kernel - 1) * s->channels);
}

/* S[row][0] of a value head; S[row][j] is j * stride on. */
static float *row_at(const struct qn_delta_state *s, int32_t value_head, int32_t row, int32_t *stride) {
  int32_t rows = s->kernels->delta_blocks * QN_LANES;
  *stride = group_rows(s, row / rows);
  return group_matrix(s, value_head, row / rows) + row % rows;
}

static float *input_row(const struct qn_delta_state *s, int32_t position) {
  return s->inputs + (int64_t)((position + s->rows) % s->rows) * s->channels;
}

int qn_delta_export(struct qn_context *context, struct qn_delta_state *s, int32_t length, void *to) {
  settle(context, s);
  uint8_t *out = to;
  for (int32_t i = 0; i < s->shape.value_heads * s->shape.value_dim; i++) {
    int32_t stride;
    const float *row = row_at(s, i / s->shape.value_dim, i % s->shape.value_dim, &stride);
    for (int32_t j = 0; j < s->shape.key_dim; j++, out += sizeof *row) {
      memcpy(out, row + (int64_t)j * stride, sizeof *row);
    }
  }
  size_t bytes = (size_t)s->channels * sizeof *s->inputs;
  for (int32_t p = length - (s->shape.kernel - 1); p < length; p++, out += bytes) {
    memcpy(out, input_row(s, p), bytes);
  }
  return QN_OK;
}

int qn_delta_import(struct qn_delta_state *s, int32_t length, const void *from) {
  qn_delta_clear(s);
  const uint8_t *in = from;
  for (int32_t i = 0; i < s->shape.value_heads * s->shape.value_dim; i++) {
    int32_t stride;
    float *row = row_at(s, i / s->shape.value_dim, i % s->shape.value_dim, &stride);
    for (int32_t j = 0; j < s->shape.key_dim; j++, in += sizeof *row) {
      memcpy(row + (int64_t)j * stride, in, sizeof *row);
    }
  }
  size_t bytes = (size_t)s->channels * sizeof *s->inputs;
  for (int32_t p = length - (s->shape.kernel - 1); p < length; p++, in += bytes) {
    memcpy(input_row(s, p), in, bytes);
  }
  return QN_OK;
}

/* -- A pass -- */

/* Tokens whose q, k, v are prepared together: they stay in the second-level cache. */
#define CHUNK 32

struct mix {
  const struct qn_delta *layer;
  struct qn_delta_state *state;
  int32_t undoable;
  int32_t first, tokens;
  const float *qkvz, *ba;
  float *out;
  int32_t per_key; /* value heads of a key head */
  int32_t parts;   /* jobs that share a key head, each with some of its value heads */
  float *threads; /* each thread's scratch */
};

/* A thread's scratch for one chunk; v, o and what is per value head is of one head at a time. */
struct chunk {
  float *q, *k; /* [CHUNK, key_dim] */
  float *kq;    /* [CHUNK] */
  float *v;     /* [CHUNK, width] */
  float *o;     /* [CHUNK, width] */
  float *delta; /* [CHUNK, width] */
  float *beta, *decay; /* [CHUNK] */
  float *sk, *sq;      /* [a group's rows] */
  float *matrix;       /* a group's S that will not be kept */
  const float **taps;  /* [kernel] */
};

/* A thread's scratch in numbers; all parts are whole cache lines. */
static size_t chunk_numbers(const struct qn_delta_state *s) {
  int32_t rows = s->kernels->delta_blocks * QN_LANES;
  size_t tap_bytes = (size_t)s->shape.kernel * sizeof(const float *);
  return (size_t)CHUNK * (size_t)(2 * qn_whole_lanes(s->shape.key_dim) + 3 * s->width + 3) +
         (size_t)rows * (size_t)(s->shape.key_dim + 2) + (tap_bytes + 63) / 64 * 64 / sizeof(float);
}

static struct chunk chunk_of(const struct mix *c, int32_t thread) {
  const struct qn_delta_state *s = c->state;
  int64_t keys = (int64_t)CHUNK * qn_whole_lanes(s->shape.key_dim);
  int64_t values = (int64_t)CHUNK * s->width;
  int64_t rows = (int64_t)s->kernels->delta_blocks * QN_LANES;
  struct chunk chunk;
  chunk.q = c->threads + (size_t)thread * chunk_numbers(s);
  chunk.k = chunk.q + keys;
  chunk.v = chunk.k + keys;
  chunk.o = chunk.v + values;
  chunk.delta = chunk.o + values;
  chunk.kq = chunk.delta + values;
  chunk.beta = chunk.kq + CHUNK;
  chunk.decay = chunk.beta + CHUNK;
  chunk.sk = chunk.decay + CHUNK;
  chunk.sq = chunk.sk + rows;
  chunk.matrix = chunk.sq + rows;
  chunk.taps = (const float **)(void *)(chunk.matrix + rows * s->shape.key_dim);
  return chunk;
}

/* Convolution and silu of n channels of the pass's token t. */
static void convolve(const struct mix *c, int32_t t, int32_t channel, int32_t n, const float **taps, float *to) {
  const struct qn_delta_state *s = c->state;
  int64_t stride = s->channels + (int64_t)s->shape.value_heads * s->shape.value_dim;
  int32_t kernel = s->shape.kernel;
  for (int32_t i = 0; i < kernel; i++) {
    int32_t at = t - (kernel - 1) + i;
    taps[i] = channel + (at < 0 ? input_row(s, c->first + at) : c->qkvz + at * stride);
  }
  s->kernels->convolve(n, kernel, taps, c->layer->conv + channel, s->channels, to);
}

/* q, k and k . q of the tokens from "first". */
static void prepare_keys(const struct mix *c, struct chunk *chunk, int32_t key_head, int32_t first, int32_t n) {
  const struct qn_delta_state *s = c->state;
  int32_t dim = s->shape.key_dim;
  float scale = (float)(1 / sqrt((double)dim));
  for (int32_t t = 0; t < n; t++) {
    float *q = chunk->q + (int64_t)t * dim;
    float *k = chunk->k + (int64_t)t * dim;
    convolve(c, first + t, key_head * dim, dim, chunk->taps, q);
    convolve(c, first + t, (s->shape.key_heads + key_head) * dim, dim, chunk->taps, k);
    s->kernels->l2_norm(dim, scale, q);
    s->kernels->l2_norm(dim, 1, k);
    chunk->kq[t] = s->kernels->dot(dim, k, q);
  }
}

static void prepare_values(const struct mix *c, struct chunk *chunk, int32_t value_head, int32_t first, int32_t n) {
  const struct qn_delta_state *s = c->state;
  const struct qn_delta_shape *shape = &s->shape;
  int32_t dim = shape->value_dim;
  int32_t channel = 2 * shape->key_heads * shape->key_dim + value_head * dim;
  float a[CHUNK];
  float b[CHUNK];
  float a_log[CHUNK];
  float dt_bias[CHUNK];
  for (int32_t t = 0; t < n; t++) {
    float *v = chunk->v + (int64_t)t * s->width;
    convolve(c, first + t, channel, dim, chunk->taps, v);
    memset(v + dim, 0, (size_t)(s->width - dim) * sizeof *v);
    const float *ba = c->ba + (int64_t)(first + t) * 2 * shape->value_heads + value_head;
    b[t] = ba[0];
    a[t] = ba[shape->value_heads];
    a_log[t] = c->layer->a_log[value_head];
    dt_bias[t] = c->layer->dt_bias[value_head];
  }
  s->kernels->decays(n, b, a, a_log, dt_bias, chunk->beta, chunk->decay);
}

/* The recurrence on one group of value rows: o and delta of n tokens, and S if it is to be kept. */
static void recur(const struct mix *c, struct chunk *chunk, int32_t value_head, int32_t group, int32_t first,
                  int32_t n) {
  const struct qn_delta_state *s = c->state;
  int32_t pending = first == 0 ? s->pending : 0;
  int32_t dim = s->shape.key_dim;
  int32_t rows = group_rows(s, group);
  int64_t offset = (int64_t)group * s->kernels->delta_blocks * QN_LANES;
  float *matrix = group_matrix(s, value_head, group);
  float *kept = c->undoable ? chunk->matrix : matrix;
  float *from = matrix;
  for (int32_t t = 0; t < n; t++) {
    const float *k = chunk->k + (int64_t)t * dim;
    const float *q = chunk->q + (int64_t)t * dim;
    if (t > 0) {
      s->kernels->delta_step(dim, rows / QN_LANES, from, kept, chunk->decay[t - 1], k - dim,
                             chunk->delta + (int64_t)(t - 1) * s->width + offset, k, q, chunk->sk, chunk->sq);
      from = kept;
    } else if (pending > 0) {
      for (int32_t i = 0; i + 1 < pending; i++) {
        add_record(s, &s->records[s->current], i, value_head, group, NULL, NULL, NULL, NULL);
      }
      add_record(s, &s->records[s->current], pending - 1, value_head, group, k, q, chunk->sk, chunk->sq);
    } else {
      s->kernels->delta_step(dim, rows / QN_LANES, from, NULL, 0, NULL, NULL, k, q, chunk->sk, chunk->sq);
    }
    int64_t at = (int64_t)t * s->width + offset;
    s->kernels->delta_output(rows, chunk->decay[t], chunk->beta[t], chunk->kq[t], chunk->v + at, chunk->sk,
                             chunk->sq, chunk->delta + at, chunk->o + at);
  }
  if (!c->undoable) {
    s->kernels->delta_step(dim, rows / QN_LANES, from, kept, chunk->decay[n - 1], chunk->k + (int64_t)(n - 1) * dim,
                           chunk->delta + (int64_t)(n - 1) * s->width + offset, NULL, NULL, NULL, NULL);
  }
}

static void record(const struct mix *c, const struct chunk *chunk, int32_t value_head) {
  const struct qn_delta_state *s = c->state;
  const struct qn_delta_shape *shape = &s->shape;
  const struct records *r = &s->records[1 - s->current];
  for (int32_t t = 0; t < c->tokens; t++) {
    int64_t at = (int64_t)t * shape->value_heads + value_head;
    r->decay[at] = chunk->decay[t];
    memcpy(r->delta + at * s->width, chunk->delta + (int64_t)t * s->width, (size_t)s->width * sizeof(float));
    if (value_head % c->per_key == 0) {
      memcpy(r->k + ((int64_t)t * shape->key_heads + value_head / c->per_key) * shape->key_dim,
             chunk->k + (int64_t)t * shape->key_dim, (size_t)shape->key_dim * sizeof(float));
    }
  }
}

/* The last inputs of n channels, for the next pass. */
static void keep_inputs(const struct mix *c, int32_t channel, int32_t n) {
  const struct qn_delta_state *s = c->state;
  int64_t stride = s->channels + (int64_t)s->shape.value_heads * s->shape.value_dim;
  for (int32_t t = c->tokens > s->rows ? c->tokens - s->rows : 0; t < c->tokens; t++) {
    memcpy(input_row(s, c->first + t) + channel, c->qkvz + t * stride + channel, (size_t)n * sizeof(float));
  }
}

/*
 * One key head and some of its value heads. With a key head in several parts, each prepares q and k
 * for itself; that is for undoable passes only, whose inputs lie beside those that others still
 * read.
 */
static void mix_job(void *argument, int32_t job, int32_t thread) {
  const struct mix *c = argument;
  struct qn_delta_state *s = c->state;
  const struct qn_delta_shape *shape = &s->shape;
  struct chunk chunk = chunk_of(c, thread);
  int32_t key_head = job / c->parts;
  int32_t part = job % c->parts;
  int32_t from = key_head * c->per_key + c->per_key * part / c->parts;
  int32_t to = key_head * c->per_key + c->per_key * (part + 1) / c->parts;
  int64_t stride = s->channels + (int64_t)shape->value_heads * shape->value_dim;
  for (int32_t first = 0; first < c->tokens; first += CHUNK) {
    int32_t n = c->tokens - first < CHUNK ? c->tokens - first : CHUNK;
    prepare_keys(c, &chunk, key_head, first, n);
    for (int32_t h = from; h < to; h++) {
      prepare_values(c, &chunk, h, first, n);
      for (int32_t group = 0; group < groups_of(s); group++) {
        recur(c, &chunk, h, group, first, n);
      }
      if (c->undoable) {
        record(c, &chunk, h);
      }
      for (int32_t t = 0; t < n; t++) {
        const float *z = c->qkvz + (first + t) * stride + s->channels + (int64_t)h * shape->value_dim;
        s->kernels->gated_norm(shape->value_dim, chunk.o + (int64_t)t * s->width, c->layer->norm, c->layer->eps, z,
                               c->out + ((int64_t)(first + t) * shape->value_heads + h) * shape->value_dim);
      }
    }
  }
  if (part == 0) {
    keep_inputs(c, key_head * shape->key_dim, shape->key_dim);
    keep_inputs(c, (shape->key_heads + key_head) * shape->key_dim, shape->key_dim);
  }
  keep_inputs(c, 2 * shape->key_heads * shape->key_dim + from * shape->value_dim, (to - from) * shape->value_dim);
}

int qn_delta_mix(struct qn_context *context, const struct qn_delta *layer, struct qn_delta_state *s,
                 int32_t undoable, int32_t first, int32_t tokens, const float *qkvz, const float *ba, float *out) {
  int32_t threads = qn_pool_threads(context->pool);
  struct mix c = {
      .layer = layer,
      .state = s,
      .undoable = undoable,
      .first = first,
      .tokens = tokens,
      .qkvz = qkvz,
      .ba = ba,
      .out = out,
      .per_key = s->shape.value_heads / s->shape.key_heads,
      .parts = 1,
  };
  if (undoable && s->shape.key_heads < 4 * threads) {
    c.parts = c.per_key;
  }
  c.threads = qn_scratch(context, QN_SCRATCH_THREADS, (size_t)threads * chunk_numbers(s) * sizeof(float));
  if (c.threads == NULL) {
    return QN_NO_MEMORY;
  }
  qn_pool_run(context->pool, s->shape.key_heads * c.parts, mix_job, &c);
  /* What was pending is in S now, whether this pass is kept or not. */
  s->pending = 0;
  s->running = undoable ? tokens : 0;
  return QN_OK;
}
