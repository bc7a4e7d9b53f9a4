/*
 * Codes of 16 rows for the tiles of tiles.c: bytes, a lane for each row.
 *
 * Rows are transposed while their codes are packed, because that is where they are shortest. Codes
 * of 3, 5 and 6 bits straddle bytes: before the transposition the bytes of each phase (unpack.h) are
 * brought together, so that after it a vector holds, of every row, one phase of four periods. Code i
 * of the four periods is then made as in unpack.h, and meets q in the order that has there: code i
 * of four neighbouring periods are four neighbouring bytes of q.
 *
 * Requires AVX-512 F, BW, VBMI.
 */
#ifndef QNEXT_AVX512_TILES_UNPACK_H
#define QNEXT_AVX512_TILES_UNPACK_H

#include "reduce.h"
#include "unpack.h"

/* Columns that are unpacked at a time. */
#define TILES_PANEL 256

/* The first n bytes of 64; none where n is negative. */
QN_INLINE __mmask64 first_bytes(int64_t n) {
  return n >= 64 ? ~(__mmask64)0 : n <= 0 ? 0 : ((__mmask64)1 << n) - 1;
}

/* Where bytes come from when 16 periods of 3 bytes, or 8 of 5, are de-interleaved. */
static const uint8_t by_thirds[64] = {
    0, 3, 6, 9,  12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45, 1, 4, 7, 10, 13, 16, 19, 22,
    25, 28, 31, 34, 37, 40, 43, 46, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47};
static const uint8_t by_fifths[64] = {
    0, 5, 10, 15, 20, 25, 30, 35, 1, 6, 11, 16, 21, 26, 31, 36, 2, 7, 12, 17,
    22, 27, 32, 37, 3, 8, 13, 18, 23, 28, 33, 38, 4, 9, 14, 19, 24, 29, 34, 39};

/* from[row] = sixteen elements; to[element], a lane for each row. */
QN_INLINE void transpose(const __m512i from[ROWS], __m512i to[16]) {
  __m512i part[4][4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    __m512i e[4];
    transpose_elements(from[4 * i], from[4 * i + 1], from[4 * i + 2], from[4 * i + 3], e);
    part[0][i] = e[0];
    part[1][i] = e[1];
    part[2][i] = e[2];
    part[3][i] = e[3];
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    transpose_quarters(part[i], 4, to + i);
  }
}

/*
 * One panel of 16 rows, from byte "at", "left" bytes before the rows' end. Four codes of each row (a
 * step) are one vector; steps are "apart" vectors apart, since several such sets of rows lie side
 * by side. What lies past the rows' end is left out, or zeros.
 */
QN_INLINE void unpack_rows(enum code code, const uint8_t *const rows[ROWS], int64_t at, int64_t left,
                           int apart, __m512i *to) {
  const int vectors = code_vectors(code), phases = code_phases(code);
  const int bits = 8 * phases / vectors, mask = (1 << bits) - 1;
  const int periods = phases == 1 ? 64 : phases == 3 ? 16 : 8; /* of at most 64 bytes */
  const int bytes = periods * phases, quads = periods / 4;
  const __m512i gather = _mm512_loadu_si512(phases == 3 ? by_thirds : by_fifths);

  for (int done = 0; done < TILES_PANEL && left > 0; done += periods * vectors) {
    __mmask64 there = first_bytes(left < bytes ? left : bytes);
    __m512i row[ROWS], phase[16];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++) {
      row[i] = _mm512_maskz_loadu_epi8(there, rows[i] + at);
      if (phases > 1) {
        row[i] = _mm512_permutexvar_epi8(gather, row[i]);
      }
    }
    transpose(row, phase);
#pragma GCC unroll 16
    for (int t = 0; t < quads; t++) {
#pragma GCC unroll 8
      for (int i = 0; i < vectors; i++) {
        const __m512i *p = &phase[i * bits / 8 * quads + t];
        int shift = i * bits % 8;
        __m512i u = p[0];
        if (shift + bits > 8) {
          u = straddle(p[0], p[quads], 8 - shift, mask);
        } else if (bits < 8) {
          u = shift > 0 ? field(p[0], shift, mask) : _mm512_and_si512(u, all_bytes(mask));
        }
        *to = code == CODE_FP4 ? fp4_numbers(u) : u;
        to += apart;
      }
    }
    at += bytes;
    left -= bytes;
  }
}

#endif
