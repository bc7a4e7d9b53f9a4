/* What kernels/steps.c needs for products with integer activations, on NEON with dot products. */
#include "unpack.h"

#include <math.h>

/* Groups and rows of a step. */
#define STEP 4

typedef int8x16_t step_bytes;
typedef int32x4_t step_ints;
typedef float32x4_t step_floats;

STEP_INLINE float32x4_t step_zero(void) { return vdupq_n_f32(0); }
STEP_INLINE int32x4_t step_no_sum(void) { return vdupq_n_s32(0); }
STEP_INLINE float32x4_t step_load_floats(const float *at) { return vld1q_f32(at); }
STEP_INLINE void step_store_floats(float *at, float32x4_t x) { vst1q_f32(at, x); }
STEP_INLINE int8x16_t step_load_bytes(const int8_t *at) { return vld1q_s8(at); }
STEP_INLINE void step_store_bytes(int8_t *at, int8x16_t x) { vst1q_s8(at, x); }

/* By how much D is too large, from the sums of q: codes of 8 bits come less 128. */
STEP_INLINE int32x4_t step_excess(int mode, int bits, float32x4_t sums) {
  (void)mode;
  return bits == 8 ? vmulq_n_s32(vcvtq_s32_f32(sums), -128) : vdupq_n_s32(0);
}

/* Products of n vectors of codes with q, added in four int32 lanes. */
STEP_INLINE int32x4_t step_dot(int mode, int bits, int n, const int8x16_t *u, const int8_t *q) {
  (void)mode;
  (void)bits;
  int32x4_t sum = vdupq_n_s32(0);
#pragma GCC unroll 8
  for (int i = 0; i < n; i++) {
    sum = vdotq_s32(sum, u[i], vld1q_s8(q + 16 * i));
  }
  return sum;
}

/* A step's sums as one lane per group. */
STEP_INLINE int32x4_t step_gather(int count, const int32x4_t *sums) {
  switch (count) {
    case 1:
      return sums[0];
    case 2:
      return vpaddq_s32(sums[0], sums[1]);
    default:
      return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
  }
}

/* bias * sum + scale * D for four groups; see step_excess. */
STEP_INLINE float32x4_t step_scaled(int mode, int32x4_t dots, int32x4_t excess, float32x4_t scales,
                                    float32x4_t biases, float32x4_t sums) {
  float32x4_t d = vcvtq_f32_s32(vsubq_s32(dots, excess));
  return mode == QN_AFFINE ? vfmaq_f32(vmulq_f32(biases, sums), scales, d) : vmulq_f32(scales, d);
}

/* y += products[row][g] * scale[g], one group after the other, a lane per row. */
STEP_INLINE float32x4_t step_add_groups(const float (*products)[STEP], const float *scale, int groups,
                                        float32x4_t y) {
  float32x4x4_t columns = vld4q_f32(products[0]);
#pragma GCC unroll 4
  for (int g = 0; g < STEP && g < groups; g++) {
    y = vfmaq_f32(y, columns.val[g], vdupq_n_f32(scale[g]));
  }
  return y;
}

/* Two vectors as their bytes with even and with odd numbers. */
static void step_even_odd(int8x16_t a, int8x16_t b, int8x16_t *even, int8x16_t *odd) {
  *even = vuzp1q_s8(a, b);
  *odd = vuzp2q_s8(a, b);
}

/* The largest |x|; NaN or infinity if there is one. */
static float step_largest(const float *x, int32_t n) {
  uint32x4_t largest = vdupq_n_u32(0);
  for (int32_t i = 0; i < n; i += 4) {
    largest = vmaxq_u32(largest, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), vdupq_n_u32(0x7FFFFFFF)));
  }
  return qn_from_bits(vmaxvq_u32(largest));
}

/* Rounds one group's numbers, in their order; returns their sum. */
static int32_t step_round(const float *x, int32_t n, float inverse, int8_t *q) {
  int32x4_t sum = vdupq_n_s32(0);
  for (int32_t i = 0; i < n; i += 8) {
    int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), inverse));
    int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), inverse));
    sum = vaddq_s32(sum, vaddq_s32(a, b));
    vst1_s8(q + i, vmovn_s16(vcombine_s16(vmovn_s32(a), vmovn_s32(b))));
  }
  return vaddvq_s32(sum);
}

#include "../kernels/steps.c"
