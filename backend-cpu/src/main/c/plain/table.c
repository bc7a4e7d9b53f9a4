#include "../lanes/plain.h"

#include "quantized.c"

#define QN_TABLE qn_plain
#define QN_TABLE_NAME "plain"
#define QN_QUANTIZE plain_quantize
#define QN_MULTIPLY plain_multiply
#include "../kernels/table.c"
