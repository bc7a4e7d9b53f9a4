/* Sixteen f32 lanes in AVX-512 (F, BW, VL, DQ): see lanes/plain.h. */
#ifndef QNEXT_LANES_H
#define QNEXT_LANES_H

#include "../numbers.h"

#include <immintrin.h>

typedef __m512 lanes;

static inline lanes lanes_all(float x) { return _mm512_set1_ps(x); }
static inline lanes lanes_zero(void) { return _mm512_setzero_ps(); }
static inline lanes lanes_load(const float *at) { return _mm512_loadu_ps(at); }
static inline void lanes_store(float *at, lanes x) { _mm512_storeu_ps(at, x); }

static inline lanes lanes_load_n(const float *at, int n) {
  return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), at);
}

static inline void lanes_store_n(float *at, lanes x, int n) {
  _mm512_mask_storeu_ps(at, (__mmask16)((1u << n) - 1), x);
}

static inline lanes lanes_f16(const void *at) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)at)); }

static inline lanes lanes_bf16(const void *at) {
  __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)at));
  return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}

/*
 * By way of f16, which has the same places with three more bits of fraction and an exponent larger
 * by 8: its denormals are widened at full speed, where a product with 2^120 would trap on each.
 */
static inline lanes lanes_e4m3(const uint8_t *at) {
  __m128i codes = _mm_loadu_si128((const __m128i *)at);
  __m256i doubled = _mm256_srai_epi16(_mm256_slli_epi16(_mm256_cvtepu8_epi16(codes), 8), 1);
  __m512 x = _mm512_cvtph_ps(_mm256_and_si256(doubled, _mm256_set1_epi16((short)0xBFFF)));
  __mmask16 nan = _mm_cmpeq_epi8_mask(_mm_or_si128(codes, _mm_set1_epi8((char)0x80)), _mm_set1_epi8((char)0xFF));
  return _mm512_mask_mov_ps(_mm512_mul_ps(x, _mm512_set1_ps(0x1p8f)), nan,
                            _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000)));
}

static inline lanes lanes_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
static inline lanes lanes_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
static inline lanes lanes_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
static inline lanes lanes_div(lanes a, lanes b) { return _mm512_div_ps(a, b); }
static inline lanes lanes_fma(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
static inline lanes lanes_max(lanes a, lanes b) { return _mm512_max_ps(a, b); }
static inline lanes lanes_min(lanes a, lanes b) { return _mm512_min_ps(a, b); }
static inline lanes lanes_abs(lanes x) { return _mm512_abs_ps(x); }

static inline void lanes_store_f16(void *at, lanes x) {
  x = _mm512_min_ps(_mm512_set1_ps(65504), _mm512_max_ps(_mm512_set1_ps(-65504), x));
  _mm256_storeu_si256((__m256i *)at, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline uint32_t lanes_not_at_most(lanes a, lanes b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ); }

static inline lanes lanes_scale(lanes x, lanes n) { return _mm512_scalef_ps(x, n); }

static inline float lanes_sum(lanes x) {
  __m256 y = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  __m128 z = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  z = _mm_add_ps(z, _mm_movehl_ps(z, z));
  return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}

static inline float lanes_largest(lanes x) {
  __m256 y = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  __m128 z = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  z = _mm_max_ps(z, _mm_movehl_ps(z, z));
  return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}

/* So many rows times blocks of sums stay in registers, beside what they are made of. */
#define LANES_ROWS 12
#define LANES_BLOCKS 2

#include "functions.h"

#endif
