/*
 * All kernels of one instruction set, in one translation unit: its table.c includes its lanes and
 * its products with integers, then this, with QN_TABLE and QN_TABLE_NAME, and QN_QUANTIZE and
 * QN_MULTIPLY naming those products.
 */
#include "floats.c"
#include "layer.c"

static void table_multiply(const struct qn_matrix *m, int32_t expert, int32_t first, int32_t last,
                           const struct qn_activations *a, const int32_t *tokens, int32_t count,
                           float *out, int64_t out_stride, const int32_t *out_rows) {
  if (qn_takes_integers(&m->format)) {
    QN_MULTIPLY(m, expert, first, last, a, tokens, count, out, out_stride, out_rows);
  } else {
    floats_multiply(m, expert, first, last, a, tokens, count, out, out_stride, out_rows);
  }
}

const struct qn_kernels QN_TABLE = {
    .name = QN_TABLE_NAME,
    .quantize = QN_QUANTIZE,
    .multiply = table_multiply,
    .layer = &layer_kernels,
};
