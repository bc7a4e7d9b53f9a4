/*
 * Operations of the seam that are made of products with weights. Matrices of activations are f32,
 * row after row without gaps; T is "tokens". All return enum qn_status.
 */
#ifndef QNEXT_PRODUCTS_H
#define QNEXT_PRODUCTS_H

#include "context.h"

/* out [T, rows] = x [T, columns] W^T. */
int qn_linear(struct qn_context *context, const struct qn_matrix *w, const float *x, int32_t tokens,
              float *out);

/* Some rows of a product, to be shared out. */
struct qn_work {
  struct qn_product product;
  int32_t first; /* rows first <= r < last; first is a multiple of 16 */
  int32_t last;
  /* Filled by qn_multiply_each: how the work is cut, and the number of its first job. */
  int32_t rows;
  int32_t slices;
  int32_t job;
};

/* All rows of w for all tokens of x: out [tokens, rows]. */
struct qn_work qn_work_of(const struct qn_matrix *w, const struct qn_activations *x, int32_t tokens, float *out);

/* Several products in one round of the threads. */
void qn_multiply_each(struct qn_context *context, struct qn_work *work, int32_t count);

/* A mixture of experts; see dev.qnext.backend.ExpertArgs. */
struct qn_experts {
  int32_t chosen;
  int32_t renormalise;
  const struct qn_matrix *router;
  const struct qn_matrix *gate_proj;
  const struct qn_matrix *up_proj;
  const struct qn_matrix *down_proj;
  const struct qn_matrix *shared_gate_proj;
  const struct qn_matrix *shared_up_proj;
  const struct qn_matrix *shared_down_proj;
  const struct qn_matrix *shared_expert_gate;
};

/* What dev.qnext.cpu.CpuStructs writes. */
_Static_assert(offsetof(struct qn_experts, router) == 8 && sizeof(struct qn_experts) == 72, "qn_experts");

/* out [T, hidden] from x [T, hidden]. */
int qn_experts(struct qn_context *context, const struct qn_experts *e, const float *x,
               int32_t tokens, float *out);

#endif
