/*
 * Products with integer activations on AVX-512 (F, BW, VL, DQ, VBMI, VNNI). unpack.h tells how
 * codes become bytes, quantize.h how activations meet them, reduce.h why rows go in sixteens.
 */
#include "quantize.h"
#include "reduce.h"
#include "tiles.c"
#include "unpack.h"

/*
 * Tokens that share one unpacking. With more, tiles.c is faster; from the caches it would be so from
 * four on, but weights of few tokens come from memory, which it does not ask for ahead.
 */
enum { FEW = 8 };

/*
 * Memory is asked for twice: two times sixteen rows ahead into the second cache, which takes the
 * time that memory takes, and two blocks ahead in its own row into the first, which hides what the
 * second takes. Either alone leaves a sixth of the bandwidth unused; in order of address, as the
 * processor itself reads ahead, more. Scales and biases are few, and asked for by the row.
 */
enum { ROWS_AHEAD = 2 * ROWS, BLOCKS_AHEAD = 2, SCALES_AHEAD = 4 * ROWS };

/*
 * From "first" rows of a plane to what is "ahead" of them: further rows, which the thread will reach
 * whichever job they belong to, or the beginning of what it reads next. Past a matrix that nothing
 * is known to follow lies another expert, which perhaps nobody wants.
 */
QN_INLINE int64_t way_ahead(const uint8_t *plane, int64_t stride, int32_t first, int32_t ahead, int32_t rows,
                            const uint8_t *next) {
  if (first + ahead < rows) {
    return ahead * stride;
  }
  return next == NULL ? 0 : (int64_t)((intptr_t)next - (intptr_t)plane) + (ahead - rows) * stride;
}

QN_INLINE void ask_for(const uint8_t *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) {
    _mm_prefetch((const char *)from + i, _MM_HINT_T1);
  }
}

QN_INLINE void ask_soon(const uint8_t *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) {
    _mm_prefetch((const char *)from + i, _MM_HINT_T0);
  }
}

/*
 * One block of sixteen rows times "count" tokens: tile[t][r] = the products of token t and row r,
 * four columns of every vector to a lane. With "add" they are added to those already there.
 */
QN_INLINE void dot(enum code code, const struct rows *rows, int64_t offset, const int8_t *const *q,
                   int32_t count, int add, __m512i (*tile)[ROWS], int64_t ahead) {
  int vectors = code_vectors(code), phases = code_phases(code);
  for (int r = 0; r < ROWS; r++) {
    __m512i u[8];
    const uint8_t *at = rows->at[r] + offset;
    ask_for(at + ahead, 64 * phases);
    ask_soon(at + BLOCKS_AHEAD * 64 * phases, 64 * phases);
    unpack(code, at, u);
    for (int32_t t = 0; t < count; t++) {
      __m512i sum = add ? tile[t][r] : _mm512_setzero_si512();
      for (int i = 0; i < vectors; i++) {
        sum = _mm512_dpbusd_epi32(sum, u[i], _mm512_load_si512(q[t] + 64 * i));
      }
      tile[t][r] = sum;
    }
  }
}

/*
 * The definition's chain for n groups: sums[i] in, a lane for each row, y out. The scales of x and
 * the sums of q are those of one token.
 */
QN_INLINE __m512 chain(enum code code, int n, const __m512i *sums, const __m512 *scale,
                       const __m512 *bias, const float *x_scale, const float *q_sum, __m512 y) {
  for (int i = 0; i < n; i++) {
    __m512 sum = _mm512_set1_ps(q_sum[i]), product;
    if (code == CODE_FP4) {
      __m512i offset = _mm512_cvtps_epi32(_mm512_mul_ps(sum, _mm512_set1_ps(FP4_OFFSET)));
      product = _mm512_mul_ps(scale[i], _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[i], offset)));
    } else {
      product = _mm512_mul_ps(bias[i], sum);
      product = _mm512_fmadd_ps(scale[i], _mm512_cvtepi32_ps(sums[i]), product);
    }
    y = _mm512_fmadd_ps(product, _mm512_set1_ps(x_scale[i]), y);
  }
  return y;
}

/*
 * avx512_multiply_few for one format. "lanes" (of a vector to a group) and the code are constants:
 * made from variables, the same steps took up to a third longer.
 */
QN_INLINE void few(enum code code, int lanes, const struct qn_product *p, int32_t first, int32_t last) {
  const struct qn_matrix *m = p->matrix;
  const struct qn_planes *planes = &m->planes[p->expert];
  const struct qn_planes next = p->next == NULL ? (struct qn_planes){NULL, NULL, NULL} : *p->next;
  const struct qn_format *format = &m->format;
  const struct qn_activations *a = &p->x;
  int32_t count = p->count;
  int32_t block = 64 * code_vectors(code), block_bytes = 64 * code_phases(code);
  int32_t groups = a->groups, in_block = lanes < 16 ? 16 / lanes : 1;
  int64_t used = (int64_t)m->columns * format->bits / 8;
  int64_t scales_used = (int64_t)groups * scale_bytes(format);
  for (int32_t from = first; from < last; from += ROWS) {
    struct rows codes, scales, biases;
    codes = rows_of(planes->codes, m->row_bytes, used, from, last, m->rows);
    scales = rows_of(planes->scales, m->scale_row_bytes, scales_used, from, last, m->rows);
    ask_for(scales.at[0] + way_ahead(planes->scales, m->scale_row_bytes, from, SCALES_AHEAD, m->rows, next.scales),
            ROWS * m->scale_row_bytes);
    if (code != CODE_FP4) {
      biases = rows_of(planes->biases, m->scale_row_bytes, scales_used, from, last, m->rows);
      ask_for(biases.at[0] + way_ahead(planes->biases, m->scale_row_bytes, from, SCALES_AHEAD, m->rows, next.biases),
              ROWS * m->scale_row_bytes);
    }
    __m512 scale[16], bias[16], y[FEW];
    for (int32_t t = 0; t < count; t++) {
      y[t] = _mm512_setzero_ps();
    }
    int32_t g = 0;
    int64_t offset = 0;
    int64_t ahead = way_ahead(planes->codes, m->row_bytes, from, ROWS_AHEAD, m->rows, next.codes);
    __m512i tile[FEW][ROWS];
    for (int32_t k = 0; k < m->columns; k += block, offset += block_bytes) {
      if (g % 16 == 0) {
        load_scales(format, &scales, g, groups, scale);
        if (code != CODE_FP4) {
          load_scales(format, &biases, g, groups, bias);
        }
      }
      const int8_t *q[FEW];
      for (int32_t t = 0; t < count; t++) {
        q[t] = a->q + (int64_t)(p->tokens == NULL ? t : p->tokens[t]) * a->padded + k;
      }
      struct copies copies;
      const struct rows *at = &codes;
      int64_t at_offset = offset;
      if (ends_within(&codes, offset, block_bytes)) {
        at = copy_rows(&codes, offset, block_bytes, &copies);
        at_offset = 0;
      }
      /* Only 8-bit groups of 128 are longer than a block, and add up two. */
      int second = lanes == 32 && k % 128 != 0;
      dot(code, at, at_offset, q, count, second, tile, ahead);
      if (lanes == 32 && !second) {
        continue;
      }
      int32_t n = groups - g < in_block ? groups - g : in_block;
      for (int32_t t = 0; t < count; t++) {
        __m512i sums[16];
        reduce(lanes == 32 ? 16 : lanes, tile[t], sums);
        int64_t at_group = (int64_t)(p->tokens == NULL ? t : p->tokens[t]) * groups + g;
        y[t] = chain(code, n, sums, scale + g % 16, bias + g % 16, a->scale + at_group,
                     a->sum + at_group, y[t]);
      }
      g += n;
    }
    for (int32_t t = 0; t < count; t++) {
      write_rows(m, from, last - from < ROWS ? last - from : ROWS, y[t],
                 p->out + t * p->out_stride);
    }
  }
}

/* qn_kernels.multiply for at most FEW tokens. */
static void avx512_multiply_few(const struct qn_product *p, int32_t first, int32_t last) {
  const struct qn_format *format = &p->matrix->format;
  enum code code = code_of(format);
#define CASE(CODE, LANES)               \
  case 64 * CODE + LANES:               \
    few(CODE, LANES, p, first, last);   \
    break;
#define CASES(CODE, LANES) CASE(CODE, LANES) CASE(CODE, 2 * LANES) CASE(CODE, 4 * LANES)
  switch (64 * (int)code + format->group / (4 * code_vectors(code))) {
    CASES(CODE_2, 2)
    CASES(CODE_3, 1)
    CASES(CODE_4, 4)
    CASES(CODE_5, 1)
    CASES(CODE_6, 2)
    CASES(CODE_8, 8)
    CASE(CODE_FP4, 2)
    CASE(CODE_FP4, 4)
  }
#undef CASES
#undef CASE
}

static void avx512_multiply(const struct qn_product *p, int32_t first, int32_t last) {
  if (p->count <= FEW) {
    avx512_multiply_few(p, first, last);
  } else {
    avx512_multiply_many(p, first, last);
  }
}
