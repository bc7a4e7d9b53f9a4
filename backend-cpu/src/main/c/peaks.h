/* What this machine can do at best: the limits that the bench holds kernels against. */
#ifndef QNEXT_PEAKS_H
#define QNEXT_PEAKS_H

#include "pool.h"

#include <stdint.h>

/* Read as three numbers by dev.qnext.cpu.CpuBackend. */
struct qn_peaks {
  double read; /* bytes per second from memory, read in order */
  double int8; /* multiplications of 8-bit numbers per second, each with its addition */
  double f32;  /* the same of f32 numbers */
};

/*
 * Measures with all threads of the pool at once, each peak for about so many seconds. Takes a GiB
 * of memory meanwhile; returns 0, or 1 if there is none.
 */
int32_t qn_measure_peaks(struct qn_pool *pool, double seconds, struct qn_peaks *peaks);

#endif
