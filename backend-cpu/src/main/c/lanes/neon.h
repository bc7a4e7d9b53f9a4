/* Sixteen f32 lanes in NEON (AArch64), four registers: see lanes/plain.h. */
#ifndef QNEXT_LANES_H
#define QNEXT_LANES_H

#include "../numbers.h"

#include <arm_neon.h>

typedef struct {
  float32x4_t v[4];
} lanes;

#define LANES_FOUR(i, expression)  \
  lanes to;                        \
  for (int i = 0; i < 4; i++) {    \
    to.v[i] = (expression);        \
  }                                \
  return to

static inline lanes lanes_all(float x) { LANES_FOUR(i, vdupq_n_f32(x)); }
static inline lanes lanes_zero(void) { return lanes_all(0); }
static inline lanes lanes_load(const float *at) { LANES_FOUR(i, vld1q_f32(at + 4 * i)); }

static inline void lanes_store(float *at, lanes x) {
  for (int i = 0; i < 4; i++) {
    vst1q_f32(at + 4 * i, x.v[i]);
  }
}

static inline lanes lanes_load_n(const float *at, int n) {
  float padded[16] = {0};
  memcpy(padded, at, (size_t)n * sizeof *at);
  return lanes_load(padded);
}

static inline void lanes_store_n(float *at, lanes x, int n) {
  float all[16];
  lanes_store(all, x);
  memcpy(at, all, (size_t)n * sizeof *at);
}

static inline lanes lanes_f16(const void *at) {
  LANES_FOUR(i, vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)at + 8 * i))));
}

static inline lanes lanes_bf16(const void *at) {
  LANES_FOUR(i, vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8((const uint8_t *)at + 8 * i)), 16)));
}

static inline float32x4_t lanes_quarter_e4m3(uint32x4_t code) {
  uint32x4_t magnitude = vandq_u32(code, vdupq_n_u32(0x7F));
  uint32x4_t sign = vshlq_n_u32(veorq_u32(code, magnitude), 24);
  float32x4_t x = vmulq_n_f32(vreinterpretq_f32_u32(vshlq_n_u32(magnitude, 20)), 0x1p120f);
  uint32x4_t nan = vceqq_u32(magnitude, vdupq_n_u32(0x7F));
  uint32x4_t bits = vorrq_u32(vreinterpretq_u32_f32(x), sign);
  return vreinterpretq_f32_u32(vbslq_u32(nan, vdupq_n_u32(0x7FC00000), bits));
}

static inline lanes lanes_e4m3(const uint8_t *at) {
  uint8x16_t codes = vld1q_u8(at);
  uint16x8_t low = vmovl_u8(vget_low_u8(codes));
  uint16x8_t high = vmovl_u8(vget_high_u8(codes));
  lanes to;
  to.v[0] = lanes_quarter_e4m3(vmovl_u16(vget_low_u16(low)));
  to.v[1] = lanes_quarter_e4m3(vmovl_u16(vget_high_u16(low)));
  to.v[2] = lanes_quarter_e4m3(vmovl_u16(vget_low_u16(high)));
  to.v[3] = lanes_quarter_e4m3(vmovl_u16(vget_high_u16(high)));
  return to;
}

static inline lanes lanes_add(lanes a, lanes b) { LANES_FOUR(i, vaddq_f32(a.v[i], b.v[i])); }
static inline lanes lanes_sub(lanes a, lanes b) { LANES_FOUR(i, vsubq_f32(a.v[i], b.v[i])); }
static inline lanes lanes_mul(lanes a, lanes b) { LANES_FOUR(i, vmulq_f32(a.v[i], b.v[i])); }
static inline lanes lanes_div(lanes a, lanes b) { LANES_FOUR(i, vdivq_f32(a.v[i], b.v[i])); }
static inline lanes lanes_fma(lanes a, lanes b, lanes c) { LANES_FOUR(i, vfmaq_f32(c.v[i], a.v[i], b.v[i])); }

/* vmaxq and vminq keep any NaN and order the zeros; these must not. */
static inline float32x4_t lanes_quarter_max(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline float32x4_t lanes_quarter_min(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline lanes lanes_max(lanes a, lanes b) { LANES_FOUR(i, lanes_quarter_max(a.v[i], b.v[i])); }
static inline lanes lanes_min(lanes a, lanes b) { LANES_FOUR(i, lanes_quarter_min(a.v[i], b.v[i])); }
static inline lanes lanes_abs(lanes x) { LANES_FOUR(i, vabsq_f32(x.v[i])); }

static inline void lanes_store_f16(void *at, lanes x) {
  x = lanes_min(lanes_all(65504), lanes_max(lanes_all(-65504), x));
  for (int i = 0; i < 4; i++) {
    vst1_u8((uint8_t *)at + 8 * i, vreinterpret_u8_f16(vcvt_f16_f32(x.v[i])));
  }
}

static inline uint32_t lanes_not_at_most(lanes a, lanes b) {
  const uint32x4_t weights = {1, 2, 4, 8};
  uint32_t bits = 0;
  for (int i = 0; i < 4; i++) {
    bits |= vaddvq_u32(vbicq_u32(weights, vcleq_f32(a.v[i], b.v[i]))) << 4 * i;
  }
  return bits;
}

/* In two steps, the first of which is exact. */
static inline float32x4_t lanes_quarter_scale(float32x4_t x, float32x4_t n) {
  int32x4_t whole = vcvtq_s32_f32(n);
  int32x4_t first = vshrq_n_s32(whole, 1);
  int32x4_t bias = vdupq_n_s32(127);
  int32x4_t one = vshlq_n_s32(vaddq_s32(first, bias), 23);
  int32x4_t two = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, first), bias), 23);
  return vmulq_f32(vmulq_f32(x, vreinterpretq_f32_s32(one)), vreinterpretq_f32_s32(two));
}

static inline lanes lanes_scale(lanes x, lanes n) { LANES_FOUR(i, lanes_quarter_scale(x.v[i], n.v[i])); }

static inline float lanes_sum(lanes x) {
  float32x4_t y = vaddq_f32(vaddq_f32(x.v[0], x.v[2]), vaddq_f32(x.v[1], x.v[3]));
  float32x2_t z = vadd_f32(vget_low_f32(y), vget_high_f32(y));
  return vget_lane_f32(z, 0) + vget_lane_f32(z, 1);
}

static inline float lanes_largest(lanes x) {
  float32x4_t y = lanes_quarter_max(lanes_quarter_max(x.v[0], x.v[2]), lanes_quarter_max(x.v[1], x.v[3]));
  float a = vgetq_lane_f32(y, 0) > vgetq_lane_f32(y, 2) ? vgetq_lane_f32(y, 0) : vgetq_lane_f32(y, 2);
  float b = vgetq_lane_f32(y, 1) > vgetq_lane_f32(y, 3) ? vgetq_lane_f32(y, 1) : vgetq_lane_f32(y, 3);
  return a > b ? a : b;
}

#undef LANES_FOUR

/* So many rows times blocks of sums stay in registers, beside what they are made of. */
#define LANES_ROWS 4
#define LANES_BLOCKS 1

#include "functions.h"

#endif
