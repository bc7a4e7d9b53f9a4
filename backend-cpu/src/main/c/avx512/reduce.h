/*
 * From rows in vectors to rows in lanes. A product of one row with a block is one vector of sixteen
 * partial sums; adding those up row by row would take more instructions than the product. Sixteen
 * rows at a time, each shuffle works for several rows, and what remains, scales, biases and the
 * chain over groups, is done for sixteen rows by one instruction.
 *
 * Requires AVX-512 F, BW, DQ, F16C.
 */
#ifndef QNEXT_AVX512_REDUCE_H
#define QNEXT_AVX512_REDUCE_H

#include "../numbers.h"
#include "unpack.h"

#include <string.h>

enum { ROWS = 16 };

/* Elements 0 and 2, or 1 and 3, of each quarter of a, then those of b. */
QN_INLINE __m512i evens(__m512i a, __m512i b) {
  return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), 0x88));
}

QN_INLINE __m512i odds(__m512i a, __m512i b) {
  return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), 0xDD));
}

/* Neighbours added: per quarter a0 + a1, a2 + a3, b0 + b1, b2 + b3. */
QN_INLINE __m512i add_neighbours(__m512i a, __m512i b) {
  return _mm512_add_epi32(evens(a, b), odds(a, b));
}

/* The same of whole quarters. */
QN_INLINE __m512i even_quarters(__m512i a, __m512i b) { return _mm512_shuffle_i32x4(a, b, 0x88); }

QN_INLINE __m512i odd_quarters(__m512i a, __m512i b) { return _mm512_shuffle_i32x4(a, b, 0xDD); }

/* to[j] = element j of each quarter of the four. */
QN_INLINE void transpose_elements(__m512i a, __m512i b, __m512i c, __m512i d, __m512i to[4]) {
  __m512i ab = _mm512_unpacklo_epi32(a, b), cd = _mm512_unpacklo_epi32(c, d);
  to[0] = _mm512_unpacklo_epi64(ab, cd);
  to[1] = _mm512_unpackhi_epi64(ab, cd);
  ab = _mm512_unpackhi_epi32(a, b);
  cd = _mm512_unpackhi_epi32(c, d);
  to[2] = _mm512_unpacklo_epi64(ab, cd);
  to[3] = _mm512_unpackhi_epi64(ab, cd);
}

/* to[step j] = quarter j of the four. */
QN_INLINE void transpose_quarters(const __m512i from[4], int step, __m512i *to) {
  __m512i even01 = even_quarters(from[0], from[1]), even23 = even_quarters(from[2], from[3]);
  __m512i odd01 = odd_quarters(from[0], from[1]), odd23 = odd_quarters(from[2], from[3]);
  to[0] = even_quarters(even01, even23);
  to[step] = even_quarters(odd01, odd23);
  to[2 * step] = odd_quarters(even01, even23);
  to[3 * step] = odd_quarters(odd01, odd23);
}

/*
 * Adds up each group's lanes (1, 2, 4, 8 or 16 of them) of sixteen rows:
 * sums[g] = the sum of group g, a lane for each row, for the 16 / lanes groups.
 */
QN_INLINE void reduce(int lanes, const __m512i rows[ROWS], __m512i sums[16]) {
  __m512i part[4][4]; /* [group within a quarter][four rows] */
  for (int i = 0; i < 4; i++) {
    const __m512i *four = rows + 4 * i;
    if (lanes == 1) {
      __m512i to[4];
      transpose_elements(four[0], four[1], four[2], four[3], to);
      part[0][i] = to[0];
      part[1][i] = to[1];
      part[2][i] = to[2];
      part[3][i] = to[3];
      continue;
    }
    __m512i two = add_neighbours(four[0], four[1]), other_two = add_neighbours(four[2], four[3]);
    if (lanes == 2) {
      part[0][i] = evens(two, other_two);
      part[1][i] = odds(two, other_two);
    } else {
      part[0][i] = add_neighbours(two, other_two);
    }
  }
  switch (lanes) {
    case 1:
      transpose_quarters(part[0], 4, sums);
      transpose_quarters(part[1], 4, sums + 1);
      transpose_quarters(part[2], 4, sums + 2);
      transpose_quarters(part[3], 4, sums + 3);
      break;
    case 2:
      transpose_quarters(part[0], 2, sums);
      transpose_quarters(part[1], 2, sums + 1);
      break;
    case 4:
      transpose_quarters(part[0], 1, sums);
      break;
    default: {
      const __m512i *p = part[0];
      __m512i a = _mm512_add_epi32(even_quarters(p[0], p[1]), odd_quarters(p[0], p[1]));
      __m512i b = _mm512_add_epi32(even_quarters(p[2], p[3]), odd_quarters(p[2], p[3]));
      if (lanes == 8) {
        sums[0] = even_quarters(a, b);
        sums[1] = odd_quarters(a, b);
      } else {
        sums[0] = _mm512_add_epi32(even_quarters(a, b), odd_quarters(a, b));
      }
    }
  }
}

/*
 * Where sixteen rows of one plane (codes, scales or biases) begin, and where the plane ends. Past
 * the last row of a matrix "at" repeats it. The end matters because pieces are read whole: past
 * the end of a row lie other rows, which do no harm, but past the end of the plane perhaps nothing.
 */
struct rows {
  const uint8_t *at[ROWS];
  const uint8_t *end;
};

QN_INLINE struct rows rows_of(const uint8_t *plane, int64_t stride, int64_t used, int32_t first,
                              int32_t last, int32_t count) {
  struct rows rows = {.end = plane + (count - 1) * stride + used};
  for (int32_t i = 0; i < ROWS; i++) {
    rows.at[i] = plane + (first + i < last ? first + i : last - 1) * stride;
  }
  return rows;
}

/* The same bytes, offset <= i < offset + n, at [0] of other memory, padded with zeros; n <= 320. */
struct copies {
  struct rows rows;
  uint8_t bytes[ROWS][320];
};

static const struct rows *copy_rows(const struct rows *rows, int64_t offset, int64_t n,
                                    struct copies *to) {
  for (int i = 0; i < ROWS; i++) {
    const uint8_t *from = rows->at[i] + offset;
    int64_t there = rows->end - from < n ? rows->end - from : n;
    memset(to->bytes[i], 0, (size_t)n);
    memcpy(to->bytes[i], from, (size_t)there);
    to->rows.at[i] = to->bytes[i];
  }
  return &to->rows;
}

QN_INLINE int ends_within(const struct rows *rows, int64_t offset, int64_t n) {
  return rows->end - rows->at[ROWS - 1] < offset + n;
}

/* 16 bytes of each of sixteen rows, as four elements: to[j] = element j, a lane for each row. */
QN_INLINE void load_elements(const struct rows *rows, int64_t offset, __m512i to[4]) {
  __m512i four[4];
  for (int i = 0; i < 4; i++) {
    /* Quarter k is row 4 k + i, so that the transposition puts the rows in order. */
    const uint8_t *const *at = rows->at + i;
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(at[0] + offset)));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(at[4] + offset)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(at[8] + offset)), 2);
    four[i] = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(at[12] + offset)), 3);
  }
  transpose_elements(four[0], four[1], four[2], four[3], to);
}

/* The numbers of numbers.h, sixteen at a time, from the low bits of each element. */
QN_INLINE __m512 from_e8m0(__m512i code) {
  __m512i bits = _mm512_slli_epi32(code, 23);
  __mmask16 zero = _mm512_testn_epi32_mask(code, code);
  __mmask16 nan = _mm512_cmpeq_epi32_mask(code, _mm512_set1_epi32(255));
  bits = _mm512_mask_mov_epi32(bits, zero, _mm512_set1_epi32(0x00400000));
  return _mm512_castsi512_ps(_mm512_mask_mov_epi32(bits, nan, _mm512_set1_epi32(0x7FC00000)));
}

/*
 * By way of f16, which has the same places with three more bits of fraction and an exponent larger
 * by 8: its denormals are widened at full speed, where a product with 2^120 would trap on each.
 */
QN_INLINE __m512 from_e4m3(__m512i code) {
  __m512i magnitude = _mm512_and_si512(code, _mm512_set1_epi32(0x7F));
  __m512i half = _mm512_add_epi32(_mm512_slli_epi32(code, 7), _mm512_slli_epi32(_mm512_sub_epi32(code, magnitude), 7));
  __m512 x = _mm512_mul_ps(_mm512_cvtph_ps(_mm512_cvtepi32_epi16(half)), _mm512_set1_ps(0x1p8f));
  __mmask16 nan = _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x7F));
  return _mm512_mask_mov_ps(x, nan, _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000)));
}

QN_INLINE __m512 from_f16(__m512i code) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(code)); }

/* Bytes of a scale or bias. */
QN_INLINE int scale_bytes(const struct qn_format *format) {
  return format->mode != QN_AFFINE ? 1 : format->type == QN_F32 ? 4 : 2;
}

/*
 * Scales or biases of sixteen groups from the g-th on, fewer at the end of a row, of sixteen rows:
 * to[i] = group g + i.
 */
static void load_scales(const struct qn_format *format, const struct rows *rows, int32_t g,
                        int32_t groups, __m512 to[16]) {
  int bytes = scale_bytes(format);
  int64_t offset = (int64_t)g * bytes;
  int n = (groups - g < 16 ? groups - g : 16) * bytes;
  struct copies copies;
  if (ends_within(rows, offset, (n + 15) / 16 * 16)) {
    rows = copy_rows(rows, offset, (n + 15) / 16 * 16, &copies);
    offset = 0;
  }
  const __m512i byte = _mm512_set1_epi32(255);
  const __m512 half = _mm512_set1_ps(0.5f);
  for (int k = 0; k < n; k += 16) {
    __m512i e[4];
    load_elements(rows, offset + k, e);
    __m512 *at = to + k / bytes;
    for (int j = 0; j < 4; j++) {
      if (bytes == 4) {
        at[j] = _mm512_castsi512_ps(e[j]);
      } else if (bytes == 2 && format->type == QN_BF16) {
        at[2 * j] = _mm512_castsi512_ps(_mm512_slli_epi32(e[j], 16));
        at[2 * j + 1] = _mm512_castsi512_ps(_mm512_and_si512(e[j], _mm512_set1_epi32(-65536)));
      } else if (bytes == 2) {
        at[2 * j] = from_f16(e[j]);
        at[2 * j + 1] = from_f16(_mm512_srli_epi32(e[j], 16));
      } else {
        for (int i = 0; i < 4; i++) {
          __m512i code = _mm512_and_si512(_mm512_srl_epi32(e[j], _mm_cvtsi32_si128(8 * i)), byte);
          __m512 scale = format->mode == QN_MXFP4 ? from_e8m0(code) : from_e4m3(code);
          at[4 * j + i] = _mm512_mul_ps(scale, half);
        }
      }
    }
  }
}

/* y of rows from <= r < from + n. */
static void write_rows(const struct qn_matrix *m, int32_t from, int32_t n, __m512 y, float *out) {
  if (m->row_map == NULL) {
    _mm512_mask_storeu_ps(out + from, (__mmask16)((1 << n) - 1), y);
    return;
  }
  float row[ROWS];
  _mm512_storeu_ps(row, y);
  for (int32_t i = 0; i < n; i++) {
    out[m->row_map[from + i]] = row[i];
  }
}

#endif
