/*
 * Weights of 16 rows for the tiles of tiles.c: one byte per code, rows in lanes.
 *
 * Codes are transposed while they are still packed, because that is where they are fewest: 64 bytes
 * of each of 16 rows are 1,024 codes of 8 bits, but 2,048 of 4. Codes of 3, 5 and 6 bits straddle
 * bytes, so their rows are first de-interleaved: a row is a sequence of periods of p bytes that hold
 * V whole codes (3 bits: 8 codes in 3 bytes), and byte k of each period goes to the k-th part of a
 * vector. After the transposition a vector holds, for each of 16 rows, byte k of four periods that
 * follow each other; code i of the four periods is then a shift and a mask of whole vectors.
 *
 * That is the order of q too (unpack.h): 4 bytes of q that follow each other are elements i of four
 * periods. Hence one vpdpbusd multiplies 16 rows' codes with one token's four bytes in all lanes.
 */
#ifndef QNEXT_AVX512_TILES_UNPACK_H
#define QNEXT_AVX512_TILES_UNPACK_H

#include "../numbers.h"

#include <immintrin.h>

#define TILES_INLINE static inline __attribute__((always_inline))

/* Columns that are unpacked at a time: whole blocks of q in every format, whole groups. */
#define TILES_PANEL 512

/* Codes per period of each width, and bytes. */
TILES_INLINE int tiles_values(int bits) { return bits == 3 || bits == 5 ? 8 : bits == 6 ? 4 : 8 / bits; }
TILES_INLINE int tiles_period(int bits) { return bits == 3 || bits == 6 ? 3 : bits == 5 ? 5 : 1; }

/* A mask of the first n bytes, n at most 64; of none where n is negative. */
TILES_INLINE __mmask64 tiles_first(int64_t n) {
  return n >= 64 ? ~(__mmask64)0 : n <= 0 ? 0 : ((__mmask64)1 << n) - 1;
}

/* Where bytes come from when 16 periods of 3 bytes, or 8 of 5, are de-interleaved. */
static const uint8_t tiles_thirds[64] = {
    0, 3, 6, 9,  12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45, 1, 4, 7, 10, 13, 16, 19, 22,
    25, 28, 31, 34, 37, 40, 43, 46, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47};
static const uint8_t tiles_fifths[64] = {
    0, 5, 10, 15, 20, 25, 30, 35, 1, 6, 11, 16, 21, 26, 31, 36, 2, 7, 12, 17,
    22, 27, 32, 37, 3, 8, 13, 18, 23, 28, 33, 38, 4, 9, 14, 19, 24, 29, 34, 39};

/* r[row] = 16 dwords becomes r[dword] = 16 rows. */
TILES_INLINE void tiles_transpose(__m512i r[16]) {
  __m512i s[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    __m512i a = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    __m512i b = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    __m512i c = _mm512_unpacklo_epi32(r[i + 2], r[i + 3]);
    __m512i d = _mm512_unpackhi_epi32(r[i + 2], r[i + 3]);
    s[i] = _mm512_unpacklo_epi64(a, c);
    s[i + 1] = _mm512_unpackhi_epi64(a, c);
    s[i + 2] = _mm512_unpacklo_epi64(b, d);
    s[i + 3] = _mm512_unpackhi_epi64(b, d);
  }
  /* s[i + c]: in 128-bit lane l, dword 4 l + c of rows i to i + 3. */
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
    __m512i a = _mm512_shuffle_i32x4(s[c], s[c + 4], 0x88);
    __m512i b = _mm512_shuffle_i32x4(s[c + 8], s[c + 12], 0x88);
    __m512i d = _mm512_shuffle_i32x4(s[c], s[c + 4], 0xDD);
    __m512i e = _mm512_shuffle_i32x4(s[c + 8], s[c + 12], 0xDD);
    r[c] = _mm512_shuffle_i32x4(a, b, 0x88);
    r[c + 4] = _mm512_shuffle_i32x4(d, e, 0x88);
    r[c + 8] = _mm512_shuffle_i32x4(a, b, 0xDD);
    r[c + 12] = _mm512_shuffle_i32x4(d, e, 0xDD);
  }
}

/*
 * Columns of one panel, from byte "at" of 16 rows, "left" bytes before their end. Four bytes (a step)
 * of all rows are one vector; steps go to every second vector of "to", since two such sets of rows
 * lie side by side there. What lies past the rows' end becomes zeros, in whole chunks.
 */
TILES_INLINE void tiles_unpack(const uint8_t *const rows[16], int64_t at, int64_t left, int bits,
                               int fp4, __m512i *to) {
  const int values = tiles_values(bits), period = tiles_period(bits);
  const int periods = period == 1 ? 64 : period == 3 ? 16 : 8; /* per chunk: at most 64 bytes */
  const int bytes = periods * period, quads = periods / 4;

  const __m512i index = _mm512_loadu_si512(period == 3 ? tiles_thirds : tiles_fifths);
  const __m512i code = _mm512_set1_epi8((char)((1 << bits) - 1));
  /* Twice the E2M1 numbers, plus 12 to be without sign. */
  const __m512i doubled = _mm512_broadcast_i32x4(
      _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));

  for (int done = 0; done < TILES_PANEL && left > 0; done += periods * values) {
    __mmask64 mask = tiles_first(left < bytes ? left : bytes);
    __m512i r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      r[i] = _mm512_maskz_loadu_epi8(mask, rows[i] + at);
      if (period > 1) {
        r[i] = _mm512_permutexvar_epi8(index, r[i]);
      }
    }
    tiles_transpose(r);
#pragma GCC unroll 16
    for (int t = 0; t < quads; t++) {
#pragma GCC unroll 8
      for (int i = 0; i < values; i++) {
        int k = i * bits / 8, shift = i * bits % 8;
        __m512i u = r[k * quads + t];
        if (shift > 0) {
          u = _mm512_srli_epi32(u, (unsigned)shift);
        }
        if (shift + bits > 8) {
          /* Low bits from this byte, high bits from the next one. */
          __m512i low = _mm512_set1_epi8((char)((1 << (8 - shift)) - 1));
          __m512i next = _mm512_slli_epi32(r[(k + 1) * quads + t], (unsigned)(8 - shift));
          u = _mm512_ternarylogic_epi32(low, u, next, 0xCA);
        }
        if (bits < 8) {
          u = _mm512_and_si512(u, code);
        }
        if (fp4) {
          u = _mm512_shuffle_epi8(doubled, u);
        }
        to[2 * i] = u;
      }
      to += 2 * values;
    }
    at += bytes;
    left -= bytes;
  }
}

#endif
