/* The AVX2 kernels once more, for processors that also have VNNI in 256 bits. */
#define QN_TABLE qn_avx2_vnni
#define QN_TABLE_NAME "avx2-vnni"
#include "table.c"
