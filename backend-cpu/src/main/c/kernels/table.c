/*
 * All kernels of one instruction set, in one translation unit: its table.c includes its lanes and
 * its products with integers, then this, with QN_TABLE and QN_TABLE_NAME, and QN_QUANTIZE and
 * QN_MULTIPLY naming those products.
 */
#include "floats.c"
#include "layer.c"

static void table_multiply(const struct qn_product *product, int32_t first, int32_t last) {
  if (qn_takes_integers(&product->matrix->format)) {
    QN_MULTIPLY(product, first, last);
  } else {
    floats_multiply(product, first, last);
  }
}

const struct qn_kernels QN_TABLE = {
    .name = QN_TABLE_NAME,
    .quantize = QN_QUANTIZE,
    .multiply = table_multiply,
    .layer = &layer_kernels,
};
