#include "../lanes/neon.h"

#include "quantized.c"

#define QN_TABLE qn_neon
#define QN_TABLE_NAME "neon"
#define QN_QUANTIZE steps_quantize
#define QN_MULTIPLY steps_multiply
#include "../kernels/table.c"
