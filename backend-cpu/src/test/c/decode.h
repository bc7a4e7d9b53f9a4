/*
 * What stored weights mean, in f64, after the descriptions of the formats (MLX's affine and fp
 * modes, OCP Microscaling) and without the kernels' own header.
 */
#ifndef QNEXT_TEST_DECODE_H
#define QNEXT_TEST_DECODE_H

#include "../../main/c/kernels.h"

#include <math.h>
#include <string.h>

/* Code k of a row: bits [k b, k b + b) of the little-endian stream, lowest first. */
static inline uint32_t decode_code(const uint8_t *row, int32_t bits, int32_t k) {
  uint32_t code = 0;
  for (int32_t i = 0; i < bits; i++) {
    int64_t bit = (int64_t)k * bits + i;
    code |= (uint32_t)(row[bit / 8] >> bit % 8 & 1) << i;
  }
  return code;
}

/* A float of "exponent" and "mantissa" bits without infinities. */
static inline double decode_small(uint32_t code, int32_t exponent, int32_t mantissa) {
  int32_t bias = (1 << (exponent - 1)) - 1;
  int32_t power = (int32_t)(code >> mantissa) & ((1 << exponent) - 1);
  double fraction = (double)(code & ((1u << mantissa) - 1)) / (1 << mantissa);
  double magnitude = power == 0 ? ldexp(fraction, 1 - bias) : ldexp(1 + fraction, power - bias);
  return code >> (exponent + mantissa) & 1 ? -magnitude : magnitude;
}

static inline double decode_e8m0(uint8_t code) { return code == 255 ? NAN : ldexp(1, code - 127); }

static inline double decode_e4m3(uint8_t code) { return (code & 127) == 127 ? NAN : decode_small(code, 4, 3); }

/* Number i of an array of plain numbers. */
static inline double decode_plain(const uint8_t *at, int32_t type, int32_t i) {
  uint16_t half;
  float number;
  if (type == QN_F32) {
    memcpy(&number, at + 4 * (int64_t)i, sizeof number);
    return number;
  }
  memcpy(&half, at + 2 * (int64_t)i, sizeof half);
  if (type == QN_BF16) {
    uint32_t wide = (uint32_t)half << 16;
    memcpy(&number, &wide, sizeof number);
    return number;
  }
  if ((half & 0x7C00) == 0x7C00) {
    return half & 0x3FF ? NAN : half & 0x8000 ? -INFINITY : INFINITY;
  }
  return decode_small(half, 5, 10);
}

static inline double decode_scale(const struct qn_format *f, const uint8_t *scales, int32_t g) {
  return f->mode == QN_AFFINE ? decode_plain(scales, f->type, g)
         : f->mode == QN_NVFP4 ? decode_e4m3(scales[g])
                               : decode_e8m0(scales[g]);
}

/* Weight [r][k] of an expert. */
static inline double decode_weight(const struct qn_matrix *m, int32_t expert, int32_t r, int32_t k) {
  const struct qn_format *f = &m->format;
  const struct qn_planes *planes = &m->planes[expert];
  const uint8_t *row = planes->codes + r * m->row_bytes;
  if (f->mode == QN_PLAIN) {
    return decode_plain(row, f->type, k);
  }
  double scale = decode_scale(f, planes->scales + r * m->scale_row_bytes, k / f->group);
  uint32_t code = decode_code(row, f->bits, k);
  switch (f->mode) {
    case QN_AFFINE:
      return scale * code + decode_plain(planes->biases + r * m->scale_row_bytes, f->type, k / f->group);
    case QN_MXFP8:
      return scale * decode_e4m3((uint8_t)code);
    default:
      return scale * decode_small(code, 2, 1);
  }
}

#endif
