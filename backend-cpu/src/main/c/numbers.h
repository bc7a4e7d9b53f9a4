/* Number formats, one number at a time. */
#ifndef QNEXT_NUMBERS_H
#define QNEXT_NUMBERS_H

#include "kernels.h"

#include <string.h>

/* Activations below this in a whole group count as zero: 127 / largest must be finite. */
#define QN_TINY 1e-30f

/* Twice the sixteen E2M1 numbers. */
static const int8_t qn_fp4_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static inline float qn_from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline uint32_t qn_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline uint16_t qn_read16(const uint8_t *at) {
  uint16_t x;
  memcpy(&x, at, sizeof x);
  return x;
}

static inline float qn_from_bf16(uint16_t bits) { return qn_from_bits((uint32_t)bits << 16); }

/* Exact, denormals and NaN included. */
static inline float qn_from_f16(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
  uint32_t magnitude = (uint32_t)(bits & 0x7FFF) << 13;
  if ((bits & 0x7C00) == 0x7C00) {
    return qn_from_bits(sign | 0x7F800000 | magnitude);
  }
  /* 2^112 moves the exponent's bias from 15 to 127, denormals included. */
  return qn_from_bits(sign | qn_bits(qn_from_bits(magnitude) * 0x1p112f));
}

/* E8M0: 2^(code - 127); 255 is NaN. */
static inline float qn_from_e8m0(uint8_t code) {
  return code == 255 ? qn_from_bits(0x7FC00000) : code == 0 ? 0x1p-127f : qn_from_bits((uint32_t)code << 23);
}

/* E4M3: no infinities; 0x7F and 0xFF are NaN. */
static inline float qn_from_e4m3(uint8_t code) {
  uint32_t sign = (uint32_t)(code & 0x80) << 24;
  if ((code & 0x7F) == 0x7F) {
    return qn_from_bits(0x7FC00000);
  }
  return qn_from_bits(sign | qn_bits(qn_from_bits((uint32_t)(code & 0x7F) << 20) * 0x1p120f));
}

/* The g-th scale (or bias) of a row; those of the fp4 formats are halved, since u is doubled. */
static inline float qn_scale(const struct qn_format *format, const uint8_t *row, int32_t g) {
  switch (format->mode) {
    case QN_MXFP4:
      return qn_from_e8m0(row[g]) * 0.5f;
    case QN_NVFP4:
      return qn_from_e4m3(row[g]) * 0.5f;
    case QN_MXFP8:
      return qn_from_e8m0(row[g]);
    default:
      break;
  }
  switch (format->type) {
    case QN_BF16:
      return qn_from_bf16(qn_read16(row + 2 * g));
    case QN_F16:
      return qn_from_f16(qn_read16(row + 2 * g));
    default: {
      float x;
      memcpy(&x, row + 4 * g, sizeof x);
      return x;
    }
  }
}

/* The largest |x|; NaN or infinity if there is one. */
static inline float qn_largest(const float *x, int32_t n) {
  uint32_t largest = 0;
  for (int32_t i = 0; i < n; i++) {
    uint32_t bits = qn_bits(x[i]) & 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return qn_from_bits(largest);
}

#endif
