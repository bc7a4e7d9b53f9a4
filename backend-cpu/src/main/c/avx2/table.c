/* All kernels of one instruction set, in one translation unit. */
#include "../lanes/avx2.h"

#include "quantized.c"

#include "../kernels/floats.c"
#include "../kernels/layer.c"

#ifndef QN_TABLE
#define QN_TABLE qn_avx2
#define QN_TABLE_NAME "avx2"
#endif

static void table_multiply(const struct qn_matrix *m, int32_t expert, int32_t first, int32_t last,
                           const struct qn_activations *a, const int32_t *tokens, int32_t count,
                           float *out, int64_t out_stride, const int32_t *out_rows) {
  if (qn_takes_integers(&m->format)) {
    avx2_multiply(m, expert, first, last, a, tokens, count, out, out_stride, out_rows);
  } else {
    floats_multiply(m, expert, first, last, a, tokens, count, out, out_stride, out_rows);
  }
}

const struct qn_kernels QN_TABLE = {
    .name = QN_TABLE_NAME,
    .quantize = avx2_quantize,
    .multiply = table_multiply,
    .layer = &layer_kernels,
};
