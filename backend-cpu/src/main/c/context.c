#include "context.h"

#include <stdlib.h>

struct qn_context *qn_context_new(int32_t threads, const char *kernels) {
  const struct qn_kernels *table = qn_choose_kernels(kernels);
  struct qn_context *context = table == NULL ? NULL : calloc(1, sizeof *context);
  if (context == NULL) {
    return NULL;
  }
  context->kernels = table;
  context->pool = qn_pool_new(threads);
  if (context->pool == NULL) {
    free(context);
    return NULL;
  }
  return context;
}

void qn_context_free(struct qn_context *context) {
  qn_pool_free(context->pool);
  for (int slot = 0; slot < QN_SCRATCH_SLOTS; slot++) {
    free(context->scratch[slot].memory);
  }
  free(context);
}

const char *qn_context_kernels(const struct qn_context *context) { return context->kernels->name; }

int qn_context_peaks(struct qn_context *context, double seconds, struct qn_peaks *peaks) {
  return qn_measure_peaks(context->pool, seconds, peaks) == 0 ? QN_OK : QN_NO_MEMORY;
}

void *qn_scratch(struct qn_context *context, enum qn_scratch slot, size_t bytes) {
  if (bytes > context->scratch[slot].bytes) {
    free(context->scratch[slot].memory);
    /* Half more than asked for: a prompt's last, longer pass does not start over. */
    size_t size = (bytes + bytes / 2 + 63) / 64 * 64;
    context->scratch[slot].memory = aligned_alloc(64, size);
    context->scratch[slot].bytes = context->scratch[slot].memory == NULL ? 0 : size;
  }
  return context->scratch[slot].memory;
}

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Bytes of one token's q, scale and sum. */
static size_t quantized_bytes(const struct qn_format *format, int32_t columns) {
  size_t groups = (size_t)(columns / format->group);
  return (size_t)qn_padded(columns) + 2 * groups * sizeof(float);
}

static int same_quantization(const struct qn_format *a, const struct qn_format *b) {
  return a->mode == b->mode && a->bits == b->bits && a->group == b->group;
}

struct quantization {
  const struct qn_kernels *kernels;
  const struct qn_format *format;
  const struct qn_activations *to;
  int32_t tokens;
  int32_t rows; /* of one job */
};

/* Numbers that one job quantizes, about two microseconds' work. */
#define JOB 4096

static void quantize_job(void *argument, int32_t job, int32_t thread) {
  (void)thread;
  const struct quantization *work = argument;
  const struct qn_activations *to = work->to;
  for (int64_t t = (int64_t)job * work->rows; t < work->tokens && t < (job + 1LL) * work->rows; t++) {
    work->kernels->quantize(work->format, to->columns, to->x + t * to->columns, to->q + t * to->padded,
                            to->scale + t * to->groups, to->sum + t * to->groups);
  }
}

int qn_quantize(struct qn_context *context, enum qn_scratch slot, const float *x, int32_t columns,
                int32_t tokens, const struct qn_matrix *const *matrices, int32_t count,
                struct qn_activations *out) {
  size_t bytes = 0;
  for (int32_t i = 0; i < count; i++) {
    if (qn_takes_integers(&matrices[i]->format)) {
      bytes += aligned((size_t)tokens * quantized_bytes(&matrices[i]->format, columns));
    }
  }
  char *memory = bytes == 0 ? NULL : qn_scratch(context, slot, bytes);
  if (bytes != 0 && memory == NULL) {
    return QN_NO_MEMORY;
  }
  for (int32_t i = 0; i < count; i++) {
    const struct qn_format *format = &matrices[i]->format;
    out[i] = (struct qn_activations){.columns = columns, .x = x};
    if (!qn_takes_integers(format)) {
      continue;
    }
    int32_t same = 0;
    while (!same_quantization(&matrices[same]->format, format)) {
      same++;
    }
    if (same < i) {
      out[i] = out[same];
      continue;
    }
    out[i].padded = qn_padded(columns);
    out[i].groups = columns / format->group;
    out[i].q = (int8_t *)memory;
    out[i].scale = (float *)(memory + (size_t)tokens * (size_t)out[i].padded);
    out[i].sum = out[i].scale + (size_t)tokens * (size_t)out[i].groups;
    memory += aligned((size_t)tokens * quantized_bytes(format, columns));
    int32_t rows = JOB / columns + 1;
    struct quantization work = {context->kernels, format, &out[i], tokens, rows};
    qn_pool_run(context->pool, (tokens + rows - 1) / rows, quantize_job, &work);
  }
  return QN_OK;
}
