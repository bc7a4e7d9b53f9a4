#include "../lanes/avx512.h"

#include "quantized.c"

#define QN_TABLE qn_avx512
#define QN_TABLE_NAME "avx512"
#define QN_QUANTIZE avx512_quantize
#define QN_MULTIPLY avx512_multiply
#include "../kernels/table.c"
