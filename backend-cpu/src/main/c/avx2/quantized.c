/*
 * What kernels/steps.c needs for products with integer activations, on AVX2, with VNNI where the
 * compiler is told so.
 */
#include "unpack.h"

#include <math.h>

/* Groups and rows of a step. */
#define STEP 8

typedef __m256i step_bytes;
typedef __m256i step_ints;
typedef __m256 step_floats;

STEP_INLINE __m256 step_zero(void) { return _mm256_setzero_ps(); }
STEP_INLINE __m256i step_no_sum(void) { return _mm256_setzero_si256(); }
STEP_INLINE __m256 step_load_floats(const float *at) { return _mm256_load_ps(at); }
STEP_INLINE void step_store_floats(float *at, __m256 x) { _mm256_store_ps(at, x); }
STEP_INLINE __m256i step_load_bytes(const int8_t *at) { return avx2_load(at); }
STEP_INLINE void step_store_bytes(int8_t *at, __m256i x) { _mm256_storeu_si256((__m256i *)at, x); }

/* By how much D is too large, from the sums of q: step_dot takes u, or for 8 bits without VNNI u - 128. */
STEP_INLINE __m256i step_excess(int mode, int bits, __m256 sums) {
  int each = mode == QN_AFFINE ? 0 : AVX2_FP4_ZERO;
#ifndef __AVXVNNI__
  each = bits == 8 ? -128 : each;
#endif
  (void)bits;
  return _mm256_cvttps_epi32(_mm256_mul_ps(sums, _mm256_set1_ps((float)each)));
}

/* Products of n vectors of codes with q, added in eight int32 lanes. */
STEP_INLINE __m256i step_dot(int mode, int bits, int n, const __m256i *u, const int8_t *q) {
  __m256i sum = _mm256_setzero_si256();
#ifdef __AVXVNNI__
  (void)mode;
  (void)bits;
#pragma GCC unroll 8
  for (int i = 0; i < n; i++) {
    sum = _mm256_dpbusd_avx_epi32(sum, u[i], avx2_load(q + 32 * i));
  }
#else
  /* Two products of 127 and the largest code are added in an int16, so many times. */
  int most = mode != QN_AFFINE ? 5 : bits <= 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
  __m256i pairs = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int i = 0; i < n; i++) {
    __m256i x = avx2_load(q + 32 * i);
    __m256i product;
    if (bits == 8) {
      __m256i s = _mm256_xor_si256(u[i], _mm256_set1_epi8(-128));
      product = _mm256_maddubs_epi16(_mm256_abs_epi8(s), _mm256_sign_epi8(x, s));
    } else {
      product = _mm256_maddubs_epi16(u[i], x);
    }
    pairs = i % most == 0 ? product : _mm256_add_epi16(pairs, product);
    if (i % most == most - 1 || i == n - 1) {
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
  }
#endif
  return sum;
}

/* Two vectors of four groups, of two lanes each, as one of eight. */
STEP_INLINE __m256i avx2_halve(__m256i a, __m256i b) {
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xD8);
}

/* a b c d of the lower halves, then of the upper halves. */
STEP_INLINE __m256i avx2_quarter(const __m256i *sums) {
  return _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
}

/* A step's sums as one lane per group. */
STEP_INLINE __m256i step_gather(int count, const __m256i *sums) {
  switch (count) {
    case 1:
      return sums[0];
    case 2:
      return avx2_halve(sums[0], sums[1]);
    case 4:
      return _mm256_permutevar8x32_epi32(avx2_quarter(sums), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    default: {
      __m256i a = avx2_quarter(sums);
      __m256i b = avx2_quarter(sums + 4);
      return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
    }
  }
}

/* bias * sum + scale * D for eight groups; see step_excess. */
STEP_INLINE __m256 step_scaled(int mode, __m256i dots, __m256i excess, __m256 scales, __m256 biases, __m256 sums) {
  __m256 d = _mm256_cvtepi32_ps(_mm256_sub_epi32(dots, excess));
  return mode == QN_AFFINE ? _mm256_fmadd_ps(scales, d, _mm256_mul_ps(biases, sums)) : _mm256_mul_ps(scales, d);
}

/* y += products[row][g] * scale[g], one group after the other, a lane per row. */
STEP_INLINE __m256 step_add_groups(const float (*products)[STEP], const float *scale, int groups, __m256 y) {
  __m256 columns[STEP];
  for (int half = 0; half < 2; half++) {
    __m256 rows[4], pairs[4];
    for (int i = 0; i < 4; i++) {
      const float *at = products[i] + 4 * half;
      rows[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(at)), _mm_load_ps(at + 4 * STEP), 1);
    }
    pairs[0] = _mm256_unpacklo_ps(rows[0], rows[1]);
    pairs[1] = _mm256_unpacklo_ps(rows[2], rows[3]);
    pairs[2] = _mm256_unpackhi_ps(rows[0], rows[1]);
    pairs[3] = _mm256_unpackhi_ps(rows[2], rows[3]);
    columns[4 * half] = _mm256_shuffle_ps(pairs[0], pairs[1], 0x44);
    columns[4 * half + 1] = _mm256_shuffle_ps(pairs[0], pairs[1], 0xEE);
    columns[4 * half + 2] = _mm256_shuffle_ps(pairs[2], pairs[3], 0x44);
    columns[4 * half + 3] = _mm256_shuffle_ps(pairs[2], pairs[3], 0xEE);
  }
#pragma GCC unroll 8
  for (int g = 0; g < STEP && g < groups; g++) {
    y = _mm256_fmadd_ps(columns[g], _mm256_broadcast_ss(scale + g), y);
  }
  return y;
}

/* Two vectors as their bytes with even and with odd numbers. */
static void step_even_odd(__m256i a, __m256i b, __m256i *even, __m256i *odd) {
  __m256i low = _mm256_set1_epi16(0x00FF);
  *even = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
  *odd = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
  *even = _mm256_permute4x64_epi64(*even, 0xD8);
  *odd = _mm256_permute4x64_epi64(*odd, 0xD8);
}

/* The largest |x|; NaN or infinity if there is one. */
static float step_largest(const float *x, int32_t n) {
  __m256i largest = _mm256_setzero_si256();
  for (int32_t i = 0; i < n; i += 8) {
    largest = _mm256_max_epi32(largest, _mm256_and_si256(avx2_load(x + i), _mm256_set1_epi32(0x7FFFFFFF)));
  }
  __m128i four = _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return qn_from_bits((uint32_t)_mm_cvtsi128_si32(_mm_max_epi32(four, _mm_shuffle_epi32(four, 0xB1))));
}

/* Rounds one group's numbers, in their order; returns their sum. */
static int32_t step_round(const float *x, int32_t n, float inverse, int8_t *q) {
  __m256i sum = _mm256_setzero_si256();
  for (int32_t i = 0; i < n; i += 16) {
    __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(inverse)));
    __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8), _mm256_set1_ps(inverse)));
    sum = _mm256_add_epi32(sum, _mm256_add_epi32(a, b));
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(q + i), bytes);
  }
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}

#include "../kernels/steps.c"
