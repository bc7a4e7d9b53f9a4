/* What all operations of one backend share: threads, kernels and scratch memory. */
#ifndef QNEXT_CONTEXT_H
#define QNEXT_CONTEXT_H

#include "kernels.h"
#include "peaks.h"
#include "pool.h"

#include <stddef.h>

/* Scratch memory has a slot for each use that may be alive at the same time. */
enum qn_scratch {
  QN_SCRATCH_INPUT, /* quantized activations: an operation's input */
  QN_SCRATCH_INPUT_2, /* ... and what its second phase takes */
  QN_SCRATCH_INNER, /* what one phase of an operation hands to the next */
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
 * Threads and kernels of one backend. "kernels" names a table; NULL takes the best. NULL if there
 * is no such table here, or no memory or thread to be had. Operations on one context are called
 * one after another.
 */
struct qn_context *qn_context_new(int32_t threads, const char *kernels);

const char *qn_context_kernels(const struct qn_context *context);

void qn_context_free(struct qn_context *context);

/* Measures what this machine can do at best with the context's threads. */
int qn_context_peaks(struct qn_context *context, double seconds, struct qn_peaks *peaks);

/*
 * 64-byte aligned memory of at least so many bytes, its content undefined; valid until the slot is
 * asked for again. Grows and never shrinks, so that decoding allocates nothing. NULL if there is
 * no memory; the operation then returns QN_NO_MEMORY.
 */
void *qn_scratch(struct qn_context *context, enum qn_scratch slot, size_t bytes);

/* What operations return. */
enum qn_status { QN_OK, QN_NO_MEMORY };

/*
 * The tokens of x [tokens, columns] as each of the matrices takes them: out[i] is for matrices[i],
 * and those of equal formats share one. Valid until the slot is asked for again.
 */
int qn_quantize(struct qn_context *context, enum qn_scratch slot, const float *x, int32_t columns,
                int32_t tokens, const struct qn_matrix *const *matrices, int32_t count,
                struct qn_activations *out);

#endif
