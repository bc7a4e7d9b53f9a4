/* Sixteen f32 lanes in AVX2 (with FMA and F16C), two registers: see lanes/plain.h. */
#ifndef QNEXT_LANES_H
#define QNEXT_LANES_H

#include "../numbers.h"

#include <immintrin.h>

typedef struct {
  __m256 low, high;
} lanes;

static inline lanes lanes_all(float x) { return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
static inline lanes lanes_zero(void) { return (lanes){_mm256_setzero_ps(), _mm256_setzero_ps()}; }
static inline lanes lanes_load(const float *at) { return (lanes){_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)}; }

static inline void lanes_store(float *at, lanes x) {
  _mm256_storeu_ps(at, x.low);
  _mm256_storeu_ps(at + 8, x.high);
}

/* All bits of the lanes that are below n. */
static inline __m256i lanes_below(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline lanes lanes_load_n(const float *at, int n) {
  return (lanes){_mm256_maskload_ps(at, lanes_below(n)), n <= 8 ? _mm256_setzero_ps() : _mm256_maskload_ps(at + 8, lanes_below(n - 8))};
}

static inline void lanes_store_n(float *at, lanes x, int n) {
  _mm256_maskstore_ps(at, lanes_below(n), x.low);
  if (n > 8) {
    _mm256_maskstore_ps(at + 8, lanes_below(n - 8), x.high);
  }
}

static inline __m256 lanes_half_f16(const uint8_t *at) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)at));
}

static inline lanes lanes_f16(const void *at) {
  const uint8_t *from = at;
  return (lanes){lanes_half_f16(from), lanes_half_f16(from + 16)};
}

static inline __m256 lanes_half_bf16(const uint8_t *at) {
  __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)at));
  return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}

static inline lanes lanes_bf16(const void *at) {
  const uint8_t *from = at;
  return (lanes){lanes_half_bf16(from), lanes_half_bf16(from + 16)};
}

/*
 * By way of f16, which has the same places with three more bits of fraction and an exponent larger
 * by 8: its denormals are widened at full speed, where a product with 2^120 would trap on each.
 */
static inline __m256 lanes_half_e4m3(const uint8_t *at) {
  __m128i code = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)at));
  __m128i doubled = _mm_srai_epi16(_mm_slli_epi16(code, 8), 1);
  __m256 x = _mm256_cvtph_ps(_mm_and_si128(doubled, _mm_set1_epi16((short)0xBFFF)));
  x = _mm256_mul_ps(x, _mm256_set1_ps(0x1p8f));
  __m256i magnitude = _mm256_cvtepi16_epi32(_mm_and_si128(code, _mm_set1_epi16(0x7F)));
  __m256i nan = _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7F));
  return _mm256_blendv_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000)), _mm256_castsi256_ps(nan));
}

static inline lanes lanes_e4m3(const uint8_t *at) { return (lanes){lanes_half_e4m3(at), lanes_half_e4m3(at + 8)}; }

#define LANES_TWO(name, instruction)                                                  \
  static inline lanes name(lanes a, lanes b) {                                        \
    return (lanes){instruction(a.low, b.low), instruction(a.high, b.high)};           \
  }
LANES_TWO(lanes_add, _mm256_add_ps)
LANES_TWO(lanes_sub, _mm256_sub_ps)
LANES_TWO(lanes_mul, _mm256_mul_ps)
LANES_TWO(lanes_div, _mm256_div_ps)
LANES_TWO(lanes_max, _mm256_max_ps)
LANES_TWO(lanes_min, _mm256_min_ps)
#undef LANES_TWO

static inline lanes lanes_fma(lanes a, lanes b, lanes c) {
  return (lanes){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

static inline lanes lanes_abs(lanes x) {
  __m256 sign = _mm256_set1_ps(-0.0f);
  return (lanes){_mm256_andnot_ps(sign, x.low), _mm256_andnot_ps(sign, x.high)};
}

static inline void lanes_store_f16(void *at, lanes x) {
  x = lanes_min(lanes_all(65504), lanes_max(lanes_all(-65504), x));
  uint8_t *to = at;
  _mm_storeu_si128((__m128i *)(void *)to, _mm256_cvtps_ph(x.low, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128((__m128i *)(void *)(to + 16), _mm256_cvtps_ph(x.high, _MM_FROUND_TO_NEAREST_INT));
}

static inline uint32_t lanes_not_at_most(lanes a, lanes b) {
  uint32_t low = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_NLE_UQ));
  uint32_t high = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_NLE_UQ));
  return low | high << 8;
}

/* In two steps, the first of which is exact. */
static inline __m256 lanes_half_scale(__m256 x, __m256 n) {
  __m256i whole = _mm256_cvtps_epi32(n);
  __m256i first = _mm256_srai_epi32(whole, 1);
  __m256i bias = _mm256_set1_epi32(127);
  __m256i one = _mm256_slli_epi32(_mm256_add_epi32(first, bias), 23);
  __m256i two = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, first), bias), 23);
  return _mm256_mul_ps(_mm256_mul_ps(x, _mm256_castsi256_ps(one)), _mm256_castsi256_ps(two));
}

static inline lanes lanes_scale(lanes x, lanes n) {
  return (lanes){lanes_half_scale(x.low, n.low), lanes_half_scale(x.high, n.high)};
}

static inline float lanes_sum(lanes x) {
  __m256 y = _mm256_add_ps(x.low, x.high);
  __m128 z = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  z = _mm_add_ps(z, _mm_movehl_ps(z, z));
  return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}

static inline float lanes_largest(lanes x) {
  __m256 y = _mm256_max_ps(x.low, x.high);
  __m128 z = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  z = _mm_max_ps(z, _mm_movehl_ps(z, z));
  return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}

/* So many rows times blocks of sums stay in registers, beside what they are made of. */
#define LANES_ROWS 4
#define LANES_BLOCKS 1

#include "functions.h"

#endif
