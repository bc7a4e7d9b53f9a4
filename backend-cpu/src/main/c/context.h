/* What all operations of one backend share: threads, kernels and scratch memory. */
#ifndef QNEXT_CONTEXT_H
#define QNEXT_CONTEXT_H

#include "kernels.h"
#include "pool.h"

#include <stddef.h>

/* Scratch memory has a slot for each use that may be alive at the same time. */
enum qn_scratch {
  QN_SCRATCH_INPUT,   /* quantized activations, two formats */
  QN_SCRATCH_INPUT_2,
  QN_SCRATCH_INNER,   /* what one phase of an operation hands to the next */
  QN_SCRATCH_INNER_2,
  QN_SCRATCH_RESULT,
  QN_SCRATCH_LISTS,
  QN_SCRATCH_THREADS, /* each thread's own part */
  QN_SCRATCH_SLOTS
};

struct qn_context {
  struct qn_pool *pool;
  const struct qn_kernels *kernels;
  struct {
    void *memory;
    size_t bytes;
  } scratch[QN_SCRATCH_SLOTS];
};

/*
 * 64-byte aligned memory of at least so many bytes, its content undefined; valid until the slot is
 * asked for again. Grows and never shrinks, so that decoding allocates nothing. NULL if there is
 * no memory; the operation then returns QN_NO_MEMORY.
 */
void *qn_scratch(struct qn_context *context, enum qn_scratch slot, size_t bytes);

/* What operations return. */
enum qn_status { QN_OK, QN_NO_MEMORY };

/* Quantizes tokens for the format, in parallel; for formats that take x itself just points to it. */
int qn_quantize(struct qn_context *context, enum qn_scratch slot, const struct qn_format *format,
                int32_t columns, const float *x, int32_t tokens, struct qn_activations *out);

#endif
