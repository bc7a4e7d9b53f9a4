/*
 * Codes as bytes. A block is 32 byte lanes of a few neighbouring codes each: a lane's codes are a
 * whole number of bytes (8 codes of 3 bits are 3 bytes), so vector i of a block holds the i-th code
 * of every lane and takes the same shifts in all of them. Codes of 5 bits are taken two by two into
 * 16-bit lanes instead and stay in order.
 *
 *   bits              2    3    4    5    6    8
 *   vectors per block 4    8    2    1    4    1
 *   bytes per block  32   96   32   20   96   32
 */
#ifndef QNEXT_AVX2_UNPACK_H
#define QNEXT_AVX2_UNPACK_H

#include "../numbers.h"

#include <immintrin.h>

#define AVX2_INLINE static inline __attribute__((always_inline))

AVX2_INLINE int avx2_vectors(int bits) { return bits == 3 ? 8 : bits == 2 || bits == 6 ? 4 : bits == 4 ? 2 : 1; }

/* E2M1 numbers are unpacked as twice the number plus this, so that they are not negative. */
#define AVX2_FP4_ZERO 12

AVX2_INLINE __m256i avx2_load(const void *at) { return _mm256_loadu_si256(at); }

AVX2_INLINE __m256i avx2_load_halves(const uint8_t *low, const uint8_t *high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                 _mm_loadu_si128((const __m128i *)high), 1);
}

AVX2_INLINE __m256i avx2_both_halves(const int8_t *at) {
  return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)at));
}

/* (x >> n) & mask and (x << n) & mask in bytes; the mask takes away what came from the neighbour. */
#define AVX2_RIGHT(x, n, mask) _mm256_and_si256(_mm256_srli_epi16(x, n), _mm256_set1_epi8(mask))
#define AVX2_LEFT(x, n, mask) _mm256_and_si256(_mm256_slli_epi16(x, n), _mm256_set1_epi8(mask))

/* 96 bytes as three vectors: p[c] has the bytes 3 j + c, j < 32. */
AVX2_INLINE void avx2_thirds(const uint8_t *at, __m256i *p) {
  /* [c][k]: where bytes of p[c] are in the k-th 16 of 48. */
  static const _Alignas(16) int8_t from[3][3][16] = {
      {{0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
       {-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1},
       {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13}},
      {{1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
       {-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1},
       {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14}},
      {{2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
       {-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1},
       {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15}},
  };
  __m256i x0 = avx2_load_halves(at, at + 48);
  __m256i x1 = avx2_load_halves(at + 16, at + 64);
  __m256i x2 = avx2_load_halves(at + 32, at + 80);
  for (int c = 0; c < 3; c++) {
    p[c] = _mm256_or_si256(_mm256_or_si256(_mm256_shuffle_epi8(x0, avx2_both_halves(from[c][0])),
                                           _mm256_shuffle_epi8(x1, avx2_both_halves(from[c][1]))),
                           _mm256_shuffle_epi8(x2, avx2_both_halves(from[c][2])));
  }
}

AVX2_INLINE void avx2_unpack3(const uint8_t *codes, __m256i *u) {
  __m256i p[3];
  avx2_thirds(codes, p);
  u[0] = _mm256_and_si256(p[0], _mm256_set1_epi8(7));
  u[1] = AVX2_RIGHT(p[0], 3, 7);
  u[2] = _mm256_or_si256(AVX2_RIGHT(p[0], 6, 3), AVX2_LEFT(p[1], 2, 4));
  u[3] = AVX2_RIGHT(p[1], 1, 7);
  u[4] = AVX2_RIGHT(p[1], 4, 7);
  u[5] = _mm256_or_si256(AVX2_RIGHT(p[1], 7, 1), AVX2_LEFT(p[2], 1, 6));
  u[6] = AVX2_RIGHT(p[2], 2, 7);
  u[7] = AVX2_RIGHT(p[2], 5, 7);
}

AVX2_INLINE void avx2_unpack5(const uint8_t *codes, __m256i *u) {
  /* Two codes are ten bits and lie in two bytes. Both loads stay within the 20 bytes. */
  __m256i from = _mm256_setr_epi8(0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9, 6, 7, 7, 8, 8, 9, 9, 10, 11, 12,
                                  12, 13, 13, 14, 14, 15);
  __m256i pairs = _mm256_shuffle_epi8(avx2_load_halves(codes, codes + 4), from);
  /* Moved up, so that all end with bit 15. */
  pairs = _mm256_mullo_epi16(pairs, _mm256_setr_epi16(64, 16, 4, 1, 64, 16, 4, 1, 64, 16, 4, 1, 64, 16, 4, 1));
  u[0] = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(pairs, 6), _mm256_set1_epi16(0x001F)),
                         _mm256_and_si256(_mm256_srli_epi16(pairs, 3), _mm256_set1_epi16(0x1F00)));
}

AVX2_INLINE void avx2_unpack6(const uint8_t *codes, __m256i *u) {
  __m256i p[3];
  avx2_thirds(codes, p);
  u[0] = _mm256_and_si256(p[0], _mm256_set1_epi8(63));
  u[1] = _mm256_or_si256(AVX2_RIGHT(p[0], 6, 3), AVX2_LEFT(p[1], 2, 60));
  u[2] = _mm256_or_si256(AVX2_RIGHT(p[1], 4, 15), AVX2_LEFT(p[2], 4, 48));
  u[3] = AVX2_RIGHT(p[2], 2, 63);
}

/* One block. */
AVX2_INLINE void avx2_unpack(int mode, int bits, const uint8_t *codes, __m256i *u) {
  switch (bits) {
    case 2: {
      __m256i x = avx2_load(codes);
      u[0] = _mm256_and_si256(x, _mm256_set1_epi8(3));
      u[1] = AVX2_RIGHT(x, 2, 3);
      u[2] = AVX2_RIGHT(x, 4, 3);
      u[3] = AVX2_RIGHT(x, 6, 3);
      break;
    }
    case 3:
      avx2_unpack3(codes, u);
      break;
    case 4: {
      __m256i x = avx2_load(codes);
      u[0] = _mm256_and_si256(x, _mm256_set1_epi8(15));
      u[1] = AVX2_RIGHT(x, 4, 15);
      if (mode != QN_AFFINE) {
        static const _Alignas(16) int8_t numbers[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
        __m256i table = avx2_both_halves(numbers);
        u[0] = _mm256_shuffle_epi8(table, u[0]);
        u[1] = _mm256_shuffle_epi8(table, u[1]);
      }
      break;
    }
    case 5:
      avx2_unpack5(codes, u);
      break;
    case 6:
      avx2_unpack6(codes, u);
      break;
    default:
      u[0] = avx2_load(codes);
  }
}

/* Eight scales or biases in f32, as qn_scale gives them. */
AVX2_INLINE __m256 avx2_scales(int mode, int type, const uint8_t *at) {
  if (mode == QN_MXFP4) {
    __m256i code = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)at));
    __m256i nan = _mm256_cmpeq_epi32(code, _mm256_set1_epi32(255));
    __m256i bits = _mm256_max_epu32(_mm256_slli_epi32(code, 23), _mm256_set1_epi32(0x00400000));
    bits = _mm256_or_si256(bits, _mm256_and_si256(nan, _mm256_set1_epi32(0x7FC00000)));
    return _mm256_mul_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(0.5f));
  }
  if (mode == QN_NVFP4) {
    __m256i code = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)at));
    __m256i magnitude = _mm256_and_si256(code, _mm256_set1_epi32(0x7F));
    __m256i nan = _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7F));
    __m256i sign = _mm256_slli_epi32(_mm256_xor_si256(code, magnitude), 24);
    __m256 x = _mm256_mul_ps(_mm256_castsi256_ps(_mm256_slli_epi32(magnitude, 20)), _mm256_set1_ps(0x1p119f));
    __m256i others = _mm256_or_si256(sign, _mm256_and_si256(nan, _mm256_set1_epi32(0x7FC00000)));
    return _mm256_or_ps(x, _mm256_castsi256_ps(others));
  }
  switch (type) {
    case QN_BF16:
      return _mm256_castsi256_ps(
          _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)at)), 16));
    case QN_F16:
      return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)at));
    default:
      return _mm256_castsi256_ps(avx2_load(at));
  }
}

#endif
