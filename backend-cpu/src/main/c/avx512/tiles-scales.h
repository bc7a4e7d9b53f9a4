/* Scales and biases of 16 rows for the tiles of tiles.c: f32, rows in lanes. */
#ifndef QNEXT_AVX512_TILES_SCALES_H
#define QNEXT_AVX512_TILES_SCALES_H

#include "tiles-unpack.h"

/* E8M0, halved: 2^(code - 128); 255 is NaN. */
TILES_INLINE __m512 tiles_half_e8m0(__m512i code) {
  __m512i bits = _mm512_slli_epi32(code, 23);
  bits = _mm512_mask_mov_epi32(bits, _mm512_testn_epi32_mask(code, code), _mm512_set1_epi32(0x00400000));
  bits = _mm512_mask_mov_epi32(bits, _mm512_cmpeq_epi32_mask(code, _mm512_set1_epi32(255)),
                               _mm512_set1_epi32(0x7FC00000));
  return _mm512_mul_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(0.5f));
}

/* E4M3, halved; 0x7F and 0xFF are NaN. */
TILES_INLINE __m512 tiles_half_e4m3(__m512i code) {
  __m512i magnitude = _mm512_and_si512(code, _mm512_set1_epi32(0x7F));
  __m512i sign = _mm512_slli_epi32(_mm512_srli_epi32(code, 7), 31);
  __m512 number = _mm512_mul_ps(_mm512_castsi512_ps(_mm512_slli_epi32(magnitude, 20)),
                                _mm512_set1_ps(0x1p120f));
  __m512i bits = _mm512_or_si512(_mm512_castps_si512(number), sign);
  bits = _mm512_mask_mov_epi32(bits, _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x7F)),
                               _mm512_set1_epi32(0x7FC00000));
  return _mm512_mul_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(0.5f));
}

/* Number n of the (up to four) numbers that one dword of each row holds. */
TILES_INLINE __m512 tiles_scale(int32_t mode, int32_t type, __m512i dwords, int n) {
  if (mode == QN_MXFP4 || mode == QN_NVFP4) {
    __m512i code = _mm512_and_si512(_mm512_srli_epi32(dwords, (unsigned)(8 * n)), _mm512_set1_epi32(255));
    return mode == QN_MXFP4 ? tiles_half_e8m0(code) : tiles_half_e4m3(code);
  }
  if (type == QN_F32) {
    return _mm512_castsi512_ps(dwords);
  }
  if (type == QN_BF16) {
    return _mm512_castsi512_ps(n == 0 ? _mm512_slli_epi32(dwords, 16)
                                      : _mm512_and_si512(dwords, _mm512_set1_epi32((int)0xFFFF0000)));
  }
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(n == 0 ? dwords : _mm512_srli_epi32(dwords, 16)));
}

/*
 * The scales (or biases) of one panel from byte "at" of 16 rows, "left" bytes before their end. One
 * group of all rows is one vector, to every second vector of "to". Writes whole dwords' worth, up to
 * "groups" rounded up to four.
 */
TILES_INLINE void tiles_scales(const uint8_t *const rows[16], int64_t at, int64_t left, int32_t groups,
                               int32_t mode, int32_t type, __m512 *to) {
  const int numbers = mode == QN_MXFP4 || mode == QN_NVFP4 ? 4 : type == QN_F32 ? 1 : 2;
  /* 16 bytes of each row at a time: four rows in the 128-bit lanes of one vector, then 4 by 4. */
  for (int32_t g = 0; g < groups; g += 4 * numbers) {
    __mmask16 mask = (__mmask16)tiles_first(left < 16 ? left : 16);
    __m512i s[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      s[i] = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(mask, rows[i] + at));
      s[i] = _mm512_inserti32x4(s[i], _mm_maskz_loadu_epi8(mask, rows[i + 4] + at), 1);
      s[i] = _mm512_inserti32x4(s[i], _mm_maskz_loadu_epi8(mask, rows[i + 8] + at), 2);
      s[i] = _mm512_inserti32x4(s[i], _mm_maskz_loadu_epi8(mask, rows[i + 12] + at), 3);
    }
    __m512i a = _mm512_unpacklo_epi32(s[0], s[1]), b = _mm512_unpackhi_epi32(s[0], s[1]);
    __m512i c = _mm512_unpacklo_epi32(s[2], s[3]), d = _mm512_unpackhi_epi32(s[2], s[3]);
    s[0] = _mm512_unpacklo_epi64(a, c);
    s[1] = _mm512_unpackhi_epi64(a, c);
    s[2] = _mm512_unpacklo_epi64(b, d);
    s[3] = _mm512_unpackhi_epi64(b, d);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      if (g + i * numbers < groups) {
#pragma GCC unroll 4
        for (int n = 0; n < numbers; n++) {
          to[2 * (g + i * numbers + n)] = tiles_scale(mode, type, s[i], n);
        }
      }
    }
    at += 16;
    left -= 16;
  }
}

#endif
