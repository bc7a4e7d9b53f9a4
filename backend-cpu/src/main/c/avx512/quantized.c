/*
 * Products with integer activations on AVX-512 (F, BW, VL, DQ, VBMI, VNNI). unpack.h tells how
 * codes become bytes, quantize.h how activations meet them, reduce.h why rows go in sixteens.
 */
#include "quantize.h"
#include "reduce.h"
#include "unpack.h"

/* Tokens that share one unpacking. */
enum { FEW = 8 };

/* Memory is asked for this far ahead of its use, into the second cache. */
enum { AHEAD = 8192 };

/*
 * One block of sixteen rows times "count" tokens: tile[t][r] = the products of token t and row r,
 * four columns of every vector to a lane. With "add" they are added to those already there.
 */
QN_INLINE void dot(enum code code, const struct rows *rows, int64_t offset, const int8_t *const *q,
                   int32_t count, int add, __m512i (*tile)[ROWS], const uint8_t *ahead) {
  int vectors = code_vectors(code), phases = code_phases(code);
  for (int r = 0; r < ROWS; r++) {
    __m512i u[8];
    for (int i = 0; i < phases; i++) {
      _mm_prefetch((const char *)ahead + 64 * (phases * r + i), _MM_HINT_T1);
    }
    unpack(code, rows->at[r] + offset, u);
    for (int32_t t = 0; t < count; t++) {
      __m512i sum = add ? tile[t][r] : _mm512_setzero_si512();
      for (int i = 0; i < vectors; i++) {
        sum = _mm512_dpbusd_epi32(sum, u[i], _mm512_load_si512(q[t] + 64 * i));
      }
      tile[t][r] = sum;
    }
  }
}

/* One function per format. Only 8-bit groups of 128 are longer than a block, and add up two. */
#define DOT(NAME, CODE, ADD)                                                                       \
  static void NAME(const struct rows *rows, int64_t offset, const int8_t *const *q, int32_t count, \
                   int add, __m512i (*tile)[ROWS], const uint8_t *ahead) {                         \
    (void)add;                                                                                     \
    dot(CODE, rows, offset, q, count, ADD, tile, ahead);                                           \
  }
DOT(dot_fp4, CODE_FP4, 0)
DOT(dot_2, CODE_2, 0)
DOT(dot_3, CODE_3, 0)
DOT(dot_4, CODE_4, 0)
DOT(dot_5, CODE_5, 0)
DOT(dot_6, CODE_6, 0)
DOT(dot_8, CODE_8, add)
#undef DOT

typedef void dot_function(const struct rows *, int64_t, const int8_t *const *, int32_t, int,
                          __m512i (*)[ROWS], const uint8_t *);

static dot_function *const dots[] = {
    [CODE_FP4] = dot_fp4, [CODE_2] = dot_2, [CODE_3] = dot_3, [CODE_4] = dot_4,
    [CODE_5] = dot_5,     [CODE_6] = dot_6, [CODE_8] = dot_8,
};

static void reduce_tile(int lanes, const __m512i rows[ROWS], __m512i sums[16]) {
  switch (lanes) {
    case 1:
      reduce(1, rows, sums);
      break;
    case 2:
      reduce(2, rows, sums);
      break;
    case 4:
      reduce(4, rows, sums);
      break;
    case 8:
      reduce(8, rows, sums);
      break;
    default:
      reduce(16, rows, sums);
  }
}

/* For at most FEW tokens. */
static void avx512_multiply_few(const struct qn_matrix *m, int32_t expert, int32_t first,
                                int32_t last, const struct qn_activations *a, const int32_t *tokens,
                                int32_t count, float *out, int64_t out_stride,
                                const int32_t *out_rows) {
  const struct qn_format *format = &m->format;
  const struct qn_planes *planes = &m->planes[expert];
  enum code code = code_of(format);
  int32_t block = 64 * code_vectors(code);
  int32_t block_bytes = 64 * code_phases(code);
  int lanes = format->group / (block / 16);
  int32_t groups = a->groups, in_block = lanes < 16 ? 16 / lanes : 1;
  int64_t used = (int64_t)m->columns * format->bits / 8;
  int64_t scales_used = (int64_t)groups * scale_bytes(format);
  for (int32_t from = first; from < last; from += ROWS) {
    struct rows codes = rows_of(planes->codes, m->row_bytes, used, from, last, m->rows);
    struct rows scales =
        rows_of(planes->scales, m->scale_row_bytes, scales_used, from, last, m->rows);
    struct rows biases = scales;
    if (planes->biases != NULL) {
      biases = rows_of(planes->biases, m->scale_row_bytes, scales_used, from, last, m->rows);
    }
    const uint8_t *ahead = codes.at[0] + AHEAD;
    __m512 scale[16], bias[16], y[FEW];
    for (int32_t t = 0; t < count; t++) {
      y[t] = _mm512_setzero_ps();
    }
    int32_t g = 0;
    for (int32_t k = 0; k < m->columns; k += block) {
      if (g % 16 == 0) {
        load_scales(format, &scales, g, groups, scale);
        if (planes->biases != NULL) {
          load_scales(format, &biases, g, groups, bias);
        }
      }
      const int8_t *q[FEW];
      for (int32_t t = 0; t < count; t++) {
        q[t] = a->q + (int64_t)(tokens == NULL ? t : tokens[t]) * a->padded + k;
      }
      __m512i tile[FEW][ROWS];
      int64_t offset = (int64_t)k / block * block_bytes;
      int32_t half = k % format->group;
      if (ends_within(&codes, offset, block_bytes)) {
        struct copies copies;
        dots[code](copy_rows(&codes, offset, block_bytes, &copies), 0, q, count, half, tile, ahead);
      } else {
        dots[code](&codes, offset, q, count, half, tile, ahead);
      }
      ahead += ROWS * block_bytes;
      if (lanes == 32 && half == 0) {
        continue;
      }
      int32_t n = groups - g < in_block ? groups - g : in_block;
      for (int32_t t = 0; t < count; t++) {
        __m512i sums[16];
        reduce_tile(lanes, tile[t], sums);
        int64_t at = (int64_t)(tokens == NULL ? t : tokens[t]) * groups + g;
        for (int32_t i = 0; i < n; i++) {
          __m512 product;
          __m512 sum = _mm512_set1_ps(a->sum[at + i]);
          if (planes->biases != NULL) {
            product = _mm512_mul_ps(bias[(g + i) % 16], sum);
            product = _mm512_fmadd_ps(scale[(g + i) % 16], _mm512_cvtepi32_ps(sums[i]), product);
          } else {
            __m512i offsets = _mm512_cvtps_epi32(_mm512_mul_ps(sum, _mm512_set1_ps(FP4_OFFSET)));
            __m512 d = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[i], offsets));
            product = _mm512_mul_ps(scale[(g + i) % 16], d);
          }
          y[t] = _mm512_fmadd_ps(product, _mm512_set1_ps(a->scale[at + i]), y[t]);
        }
      }
      g += n;
    }
    int32_t n = last - from < ROWS ? last - from : ROWS;
    for (int32_t t = 0; t < count; t++) {
      float *to = out + (out_rows == NULL ? t : out_rows[t]) * out_stride;
      if (m->row_map == NULL) {
        _mm512_mask_storeu_ps(to + from, (__mmask16)((1 << n) - 1), y[t]);
      } else {
        float row[ROWS];
        _mm512_storeu_ps(row, y[t]);
        for (int32_t i = 0; i < n; i++) {
          to[m->row_map[from + i]] = row[i];
        }
      }
    }
  }
}

static void avx512_multiply(const struct qn_matrix *m, int32_t expert, int32_t first, int32_t last,
                            const struct qn_activations *a, const int32_t *tokens, int32_t count,
                            float *out, int64_t out_stride, const int32_t *out_rows) {
  /* Where no lists are given, token and row t + i are meant. */
  for (int32_t t = 0; t < count; t += FEW) {
    int32_t n = count - t < FEW ? count - t : FEW;
    int32_t slice[FEW], slice_rows[FEW];
    for (int32_t i = 0; i < n; i++) {
      slice[i] = tokens == NULL ? t + i : tokens[t + i];
      slice_rows[i] = out_rows == NULL ? t + i : out_rows[t + i];
    }
    avx512_multiply_few(m, expert, first, last, a, slice, n, out, out_stride, slice_rows);
  }
}
