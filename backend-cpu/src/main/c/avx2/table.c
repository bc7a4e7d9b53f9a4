#include "../lanes/avx2.h"

#include "quantized.c"

#ifndef QN_TABLE /* vnni.c has named its own */
#define QN_TABLE qn_avx2
#define QN_TABLE_NAME "avx2"
#endif
#define QN_QUANTIZE steps_quantize
#define QN_MULTIPLY steps_multiply
#include "../kernels/table.c"
