/*
 * Codes of a row to bytes, 64 at a time, read where they lie: the weights are never repacked, the
 * activations are permuted to meet them.
 *
 * A row is a stream of bits, and a stream of b-bit codes repeats itself every few bytes:
 *
 *   bits            2  3  4  5  6  8
 *   bytes a period  1  3  1  5  3  1     P, the phases
 *   codes a period  4  8  2  8  4  1     V, the vectors
 *
 * Bytes that hold the same part of a period are one phase. With 64 periods, a block, in hand, each
 * phase fills a vector, and then code i of all periods comes out of the same one or two phases by
 * the same shift and mask: vector i, whose byte j is code i of period j, or column V j + i of the
 * block. Activations lie in this order too (q in quantized.c), so vpdpbusd multiplies without a
 * shuffle. Best of all, a 32-bit lane of every vector belongs to the same four periods: all V
 * products add into one vector, whose lanes go through the groups in order, group / (4 V) lanes
 * each.
 *
 * Requires AVX-512 F, BW, VBMI.
 */
#ifndef QNEXT_AVX512_UNPACK_H
#define QNEXT_AVX512_UNPACK_H

#include "../kernels.h"

#include <immintrin.h>

#define QN_INLINE static inline __attribute__((always_inline))

/* What a code is: its bits, or an index of the E2M1 numbers. */
enum code { CODE_FP4 = 1, CODE_2 = 2, CODE_3, CODE_4, CODE_5, CODE_6, CODE_8 = 8 };

QN_INLINE enum code code_of(const struct qn_format *format) {
  return format->mode == QN_AFFINE ? (enum code)format->bits : CODE_FP4;
}

/* P: a block is 64 P bytes. */
QN_INLINE int code_phases(enum code code) {
  return code == CODE_5 ? 5 : code == CODE_3 || code == CODE_6 ? 3 : 1;
}

/* V: a block is 64 V weights. */
QN_INLINE int code_vectors(enum code code) {
  switch (code) {
    case CODE_3:
    case CODE_5:
      return 8;
    case CODE_2:
    case CODE_6:
      return 4;
    case CODE_8:
      return 1;
    default:
      return 2;
  }
}

/*
 * Twice an E2M1 number is whole but has a sign, and vpdpbusd wants the weights without one. So they
 * are unpacked with 12 added, and 12 times the sum of q is subtracted from the product.
 */
#define FP4_OFFSET 12

QN_INLINE __m512i all_bytes(int x) { return _mm512_set1_epi8((char)x); }

/* The bits of a byte from "shift" on. Bytes are shifted as words; the mask drops the neighbour's. */
QN_INLINE __m512i field(__m512i phase, int shift, int mask) {
  return _mm512_and_si512(_mm512_srli_epi16(phase, (unsigned)shift), all_bytes(mask));
}

/* A code whose lowest "low" bits are the top ones of a phase, and whose others begin the next. */
QN_INLINE __m512i straddle(__m512i phase, __m512i next, int low, int mask) {
  __m512i high_bits = _mm512_slli_epi16(next, (unsigned)low);
  __m512i low_bits = _mm512_srli_epi16(phase, (unsigned)(8 - low));
  /* 0xCA: where the first has a one the second, else the third. */
  __m512i both = _mm512_ternarylogic_epi64(all_bytes((1 << low) - 1), low_bits, high_bits, 0xCA);
  return _mm512_and_si512(both, all_bytes(mask));
}

/* 3 j + phase or 5 j + phase, modulo 64: where lane j of a phase lies once gathered. */
static const uint8_t every_third[64] = {
    0,  3,  6,  9,  12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45, 48, 51, 54, 57, 60, 63,
    2,  5,  8,  11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47, 50, 53, 56, 59, 62, 1,
    4,  7,  10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46, 49, 52, 55, 58, 61};
static const uint8_t every_fifth[64] = {
    0,  5,  10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 1,  6,  11, 16, 21, 26, 31, 36, 41,
    46, 51, 56, 61, 2,  7,  12, 17, 22, 27, 32, 37, 42, 47, 52, 57, 62, 3,  8,  13, 18, 23,
    28, 33, 38, 43, 48, 53, 58, 63, 4,  9,  14, 19, 24, 29, 34, 39, 44, 49, 54, 59};

/* vpermb looks at the low six bits of an index, so adding the phase needs no wrapping. */
QN_INLINE __m512i in_order(__m512i gathered, const uint8_t *order, int phase) {
  __m512i index = _mm512_add_epi8(_mm512_loadu_si512(order), all_bytes(phase));
  return _mm512_permutexvar_epi8(index, gathered);
}

/*
 * Three phases of 192 bytes. Byte n of the stream is lane n mod 64 of its load; since 3 and 64 have
 * no common factor, the 64 bytes of a phase sit in 64 different lanes. So blending the three loads
 * gathers a phase without losing a byte, and one permutation puts it in order.
 */
QN_INLINE void three_phases(const uint8_t *codes, __m512i p[3]) {
  const __mmask64 third = 0x9249249249249249; /* lanes 0, 3, 6 ... */
  __m512i a = _mm512_loadu_si512(codes);
  __m512i b = _mm512_loadu_si512(codes + 64);
  __m512i c = _mm512_loadu_si512(codes + 128);
  __m512i gathered0 = _mm512_mask_blend_epi8(third << 1, _mm512_mask_blend_epi8(third << 2, a, b), c);
  __m512i gathered1 = _mm512_mask_blend_epi8(third << 1, _mm512_mask_blend_epi8(third << 2, b, c), a);
  __m512i gathered2 = _mm512_mask_blend_epi8(third << 1, _mm512_mask_blend_epi8(third << 2, c, a), b);
  p[0] = in_order(gathered0, every_third, 0);
  p[1] = in_order(gathered1, every_third, 1);
  p[2] = in_order(gathered2, every_third, 2);
}

/*
 * Five phases of 320 bytes, gathered likewise. Lane j of phase s comes from load (j - s) mod 5: the
 * five loads change places in a circle, lane by lane, by j mod 5 steps. Taking the steps as 1, 2
 * and 4 needs 15 blends, where choosing each phase out of five needs 20.
 */
QN_INLINE void five_phases(const uint8_t *codes, __m512i p[5]) {
  const __mmask64 fifth = 0x1084210842108421; /* lanes 0, 5, 10 ... */
  const __mmask64 odd = fifth << 1 | fifth << 3, two = fifth << 2 | fifth << 3, four = fifth << 4;
  __m512i a0 = _mm512_loadu_si512(codes);
  __m512i a1 = _mm512_loadu_si512(codes + 64);
  __m512i a2 = _mm512_loadu_si512(codes + 128);
  __m512i a3 = _mm512_loadu_si512(codes + 192);
  __m512i a4 = _mm512_loadu_si512(codes + 256);
  __m512i b0 = _mm512_mask_blend_epi8(odd, a0, a1);
  __m512i b1 = _mm512_mask_blend_epi8(odd, a1, a2);
  __m512i b2 = _mm512_mask_blend_epi8(odd, a2, a3);
  __m512i b3 = _mm512_mask_blend_epi8(odd, a3, a4);
  __m512i b4 = _mm512_mask_blend_epi8(odd, a4, a0);
  __m512i c0 = _mm512_mask_blend_epi8(two, b0, b2);
  __m512i c1 = _mm512_mask_blend_epi8(two, b1, b3);
  __m512i c2 = _mm512_mask_blend_epi8(two, b2, b4);
  __m512i c3 = _mm512_mask_blend_epi8(two, b3, b0);
  __m512i c4 = _mm512_mask_blend_epi8(two, b4, b1);
  p[0] = in_order(_mm512_mask_blend_epi8(four, c0, c4), every_fifth, 0);
  p[1] = in_order(_mm512_mask_blend_epi8(four, c4, c3), every_fifth, 1);
  p[2] = in_order(_mm512_mask_blend_epi8(four, c3, c2), every_fifth, 2);
  p[3] = in_order(_mm512_mask_blend_epi8(four, c2, c1), every_fifth, 3);
  p[4] = in_order(_mm512_mask_blend_epi8(four, c1, c0), every_fifth, 4);
}

/* Twice the E2M1 number of the low four bits of each byte, plus FP4_OFFSET. */
QN_INLINE __m512i fp4_numbers(__m512i codes) {
  const __m512i table = _mm512_broadcast_i32x4(
      _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  return _mm512_shuffle_epi8(table, codes);
}

/* One block: 64 P bytes at "codes", all of which are read, to V vectors of unsigned bytes. */
QN_INLINE void unpack(enum code code, const uint8_t *codes, __m512i u[8]) {
  __m512i p[5];
  switch (code) {
    case CODE_2:
      p[0] = _mm512_loadu_si512(codes);
      u[0] = _mm512_and_si512(p[0], all_bytes(3));
      u[1] = field(p[0], 2, 3);
      u[2] = field(p[0], 4, 3);
      u[3] = field(p[0], 6, 3);
      break;
    case CODE_3:
      three_phases(codes, p);
      u[0] = _mm512_and_si512(p[0], all_bytes(7));
      u[1] = field(p[0], 3, 7);
      u[2] = straddle(p[0], p[1], 2, 7);
      u[3] = field(p[1], 1, 7);
      u[4] = field(p[1], 4, 7);
      u[5] = straddle(p[1], p[2], 1, 7);
      u[6] = field(p[2], 2, 7);
      u[7] = field(p[2], 5, 7);
      break;
    case CODE_4:
      p[0] = _mm512_loadu_si512(codes);
      u[0] = _mm512_and_si512(p[0], all_bytes(15));
      u[1] = field(p[0], 4, 15);
      break;
    case CODE_FP4:
      p[0] = _mm512_loadu_si512(codes);
      u[0] = fp4_numbers(_mm512_and_si512(p[0], all_bytes(15)));
      u[1] = fp4_numbers(field(p[0], 4, 15));
      break;
    case CODE_5:
      five_phases(codes, p);
      u[0] = _mm512_and_si512(p[0], all_bytes(31));
      u[1] = straddle(p[0], p[1], 3, 31);
      u[2] = field(p[1], 2, 31);
      u[3] = straddle(p[1], p[2], 1, 31);
      u[4] = straddle(p[2], p[3], 4, 31);
      u[5] = field(p[3], 1, 31);
      u[6] = straddle(p[3], p[4], 2, 31);
      u[7] = field(p[4], 3, 31);
      break;
    case CODE_6:
      three_phases(codes, p);
      u[0] = _mm512_and_si512(p[0], all_bytes(63));
      u[1] = straddle(p[0], p[1], 2, 63);
      u[2] = straddle(p[1], p[2], 4, 63);
      u[3] = field(p[2], 2, 63);
      break;
    case CODE_8:
      u[0] = _mm512_loadu_si512(codes);
      break;
  }
}

#endif
