/*
 * The operations of a layer that are no products with weights. Each is called once per pass and
 * layer, shares its work out over the context's threads, and returns an enum qn_status.
 *
 * Legend: T tokens of the pass, "first" the absolute position of its first token. All numbers are
 * f32 and rows lie one behind the other, unless told otherwise. A row's bits depend on the tokens
 * before it and on nothing else: not on T, not on where a pass begins, not on threads or on the
 * instruction set.
 */
#ifndef QNEXT_OPERATIONS_H
#define QNEXT_OPERATIONS_H

#include "context.h"

/* -- elements.c ------------------------------------------------------------------------------- */

/*
 * sum = residual + delta, or residual where delta is NULL; normed = sum / sqrt(mean(sum^2) + eps) *
 * weight, per row: [T, columns] each, weight [columns]. sum may be residual or delta; it may be NULL
 * where delta is.
 */
int qn_add_norm(struct qn_context *context, int32_t tokens, int32_t columns, const float *residual,
                const float *delta, const float *weight, float eps, float *sum, float *normed);

/* silu(gate) * up: [count] each; out may be one of them. */
int qn_swiglu(struct qn_context *context, int64_t count, const float *gate, const float *up, float *out);

/* Rows of a [T, a_columns], then of b [T, b_columns], side by side. */
int qn_concat(struct qn_context *context, int32_t tokens, int32_t a_columns, const float *a,
              int32_t b_columns, const float *b, float *out);

/*
 * Softmax over each row of logits [T, experts], then the "chosen" most probable: their numbers and
 * probabilities [T, chosen], the most probable first and the lower number among equals; divided by
 * their sum if renormalise is not 0.
 */
int qn_route(struct qn_context *context, int32_t tokens, int32_t experts, int32_t chosen,
             int32_t renormalise, const float *logits, int32_t *numbers, float *weights);

/*
 * The k largest of each row of [rows, columns], the largest first and the lower index among equals
 * (-0 and 0 are equal); NaNs count as largest. So k = 1 is Sampling.argmax, the first NaN included.
 * indices and values: [rows, k]; k <= columns.
 */
int qn_top(struct qn_context *context, int32_t rows, int32_t columns, const float *x, int32_t k,
           int32_t *indices, float *values);

/* -- attention.c ------------------------------------------------------------------------------ */

/* Rotary embedding, with the turns of the last pass's positions: one for all layers of a model. */
struct qn_rope;

/* inverse_frequency [rotary / 2] is copied. NULL if there is no memory. */
struct qn_rope *qn_rope_new(int32_t rotary, const float *inverse_frequency, float attention_factor);
void qn_rope_free(struct qn_rope *rope);

/* Keys and values of one attention layer in f16, by absolute position. Grows with use. */
struct qn_kv;

/* Empty. NULL if there is no memory. */
struct qn_kv *qn_kv_new(int32_t kv_heads, int32_t head_dim);
void qn_kv_free(struct qn_kv *kv);

/*
 * A copy of the first "length" positions. Whole pages are shared until one of both writes to them.
 * NULL if there is no memory.
 */
struct qn_kv *qn_kv_fork(const struct qn_kv *kv, int32_t length);

/* Frees the pages that hold no position below length; what a later pass writes replaces the rest. */
void qn_kv_truncate(struct qn_kv *kv, int32_t length);

/* Bytes held in memory, shared pages included. */
int64_t qn_kv_bytes(const struct qn_kv *kv);

/*
 * "count" positions from "first" as bytes, position by position: keys, then values, [kv_heads,
 * head_dim] f16 each, so 4 * kv_heads * head_dim bytes per position. Import makes room as far as it
 * writes: a caller who does not trust a length imports in pieces.
 */
int qn_kv_export(const struct qn_kv *kv, int32_t first, int32_t count, void *to);
int qn_kv_import(struct qn_kv *kv, int32_t first, int32_t count, const void *from);

/* The sizes and small weights of an attention layer. */
struct qn_attention {
  int32_t heads; /* a multiple of kv_heads */
  int32_t kv_heads;
  int32_t head_dim;
  float eps;
  struct qn_rope *rope;
  const float *q_norm; /* [head_dim] */
  const float *k_norm; /* [head_dim] */
};

/*
 * Norms q and k per head and turns them, writes k and v to the cache at first to first + T - 1,
 * attends causally with scale 1 / sqrt(head_dim), and multiplies by sigmoid of the gate. Positions
 * below "first" must have been written; those behind are not looked at.
 *
 * q_gate [T, heads, 2, head_dim]: per head query, then gate; k and v [T, kv_heads, head_dim];
 * out [T, heads, head_dim].
 */
int qn_attend(struct qn_context *context, const struct qn_attention *layer, struct qn_kv *kv,
              int32_t first, int32_t tokens, const float *q_gate, const float *k, const float *v,
              float *out);

/* -- delta.c ---------------------------------------------------------------------------------- */

struct qn_delta_shape {
  int32_t key_heads;
  int32_t value_heads; /* a multiple of key_heads; value head h has key head h / (that) */
  int32_t key_dim;
  int32_t value_dim;
  int32_t kernel; /* taps of the convolution, at least 1 */
};

/* Most tokens of a pass that can be undone: dev.qnext.backend.State.MAX_VERIFY. */
#define QN_MAX_VERIFY 16

/*
 * State of one delta net layer: a matrix [value_dim, key_dim] per value head, and the last inputs
 * of the convolution. What an undoable pass adds is written down beside the matrices; the next pass
 * adds what was accepted of it, so undoing and accepting move no memory.
 */
struct qn_delta_state;

/* All zeros. NULL if there is no memory. Its layout is that of the context's kernels. */
struct qn_delta_state *qn_delta_new(const struct qn_context *context, const struct qn_delta_shape *shape);
void qn_delta_free(struct qn_delta_state *state);

/* An independent copy, at the end of the last accepted pass. NULL if there is no memory. */
struct qn_delta_state *qn_delta_fork(struct qn_context *context, struct qn_delta_state *state);

/*
 * Closes a pass and keeps the first n tokens of it. To be called for every layer, also for those
 * that the pass did not reach, if it was given up: they stay as they were. After a pass that is not
 * undoable it does nothing.
 */
void qn_delta_accept(struct qn_delta_state *state, int32_t n);

/* All zeros again. */
void qn_delta_clear(struct qn_delta_state *state);

/* Bytes held in memory. */
int64_t qn_delta_bytes(const struct qn_delta_state *state);

/* Bytes of an exported state: 4 * (value_heads * value_dim * key_dim + (kernel - 1) * channels). */
int64_t qn_delta_export_bytes(const struct qn_delta_state *state);

/*
 * The state after "length" accepted tokens: matrices [value_heads, value_dim, key_dim], then the
 * convolution's last inputs [kernel - 1, channels], the oldest first; f32 of this machine.
 */
int qn_delta_export(struct qn_context *context, struct qn_delta_state *state, int32_t length, void *to);
int qn_delta_import(struct qn_delta_state *state, int32_t length, const void *from);

/*
 * The sizes and small weights of a delta net layer, all f32. Channels are those of q, k, v:
 * 2 * key_heads * key_dim + value_heads * value_dim.
 */
struct qn_delta {
  struct qn_delta_shape shape;
  float eps;
  const float *conv;    /* [kernel, channels]: the checkpoint's, transposed; tap 0 on the oldest input */
  const float *a_log;   /* [value_heads] */
  const float *dt_bias; /* [value_heads] */
  const float *norm;    /* [value_dim] */
};

/*
 * Causal convolution with silu, L2 norm of q and k, the gated delta rule, RMS norm times silu(z).
 * If undoable is not 0 (then T <= QN_MAX_VERIFY), the state is not changed before qn_delta_accept.
 *
 * qkvz [T, channels + value_heads * value_dim], ba [T, b | a] with value_heads each,
 * out [T, value_heads, value_dim].
 */
int qn_delta_mix(struct qn_context *context, const struct qn_delta *layer, struct qn_delta_state *state,
                 int32_t undoable, int32_t first, int32_t tokens, const float *qkvz, const float *ba,
                 float *out);

#endif
