/*
 * Products for many tokens (prefill), to the bit those of plain/quantized.c.
 *
 * A few tokens are bound by reading and unpacking weights; many are bound by the products. Here the
 * codes of 32 rows by 512 columns are unpacked once (16 KiB, in the first cache) and then multiplied
 * with up to 12 tokens at a time, whose 24 sums of 16 rows stay in registers.
 *
 * Rows lie in lanes, and vpdpbusd sums four neighbouring products per lane, so a step takes four
 * codes of each of 16 rows and four bytes of q, the same for all rows: a broadcast, which the load
 * ports do by themselves. Both vector ports are left to the products, two a cycle. If columns lay in
 * lanes instead, as for few tokens, each sum would have to be added up across lanes at the end.
 *
 * A group of 32 or 64 columns ends the integer sum, since each group has a scale of its own: after 8
 * or 16 steps the sums become f32 and are added to y. These four instructions per sum are what is
 * lost against the peak (a fifth at groups of 64, a third at 32). y itself waits in memory meanwhile:
 * its turn comes only once per group.
 */
#include "tiles-scales.h"

#include <string.h>

#define TILE_ROWS 32
#define TILE_TOKENS 12
/* Tokens per unpacked panel: bounds y, and is many enough that unpacking is nearly free. */
#define TILE_CHUNK (16 * TILE_TOKENS)
/* Bytes between tokens in a tile's q; not a power of two, so that tokens meet different cache sets. */
#define TILE_Q (TILES_PANEL + 64)
#define TILE_GROUPS (TILES_PANEL / 16)

/* 32 rows by 512 columns of weights. */
struct tile_weights {
  _Alignas(64) uint8_t codes[TILES_PANEL / 4][TILE_ROWS][4];
  float scales[TILE_GROUPS][TILE_ROWS];
  float biases[TILE_GROUPS][TILE_ROWS];
  /* Where q has the four bytes of each step, from the first of the panel. */
  int32_t order[TILES_PANEL / 4];
  int32_t steps; /* per group */
  int32_t groups;
};

/* 12 tokens by 512 columns of activations. */
struct tile_activations {
  _Alignas(64) int8_t q[TILE_TOKENS][TILE_Q];
  float scale[TILE_TOKENS][TILE_GROUPS];
  union {
    float sum[TILE_TOKENS][TILE_GROUPS];   /* affine */
    int32_t less[TILE_TOKENS][TILE_GROUPS]; /* fp4: -12 sum, for the 12 added to its codes */
  };
};

static void tiles_copy(const struct qn_activations *a, int64_t token, int32_t first, int32_t columns,
                       int32_t first_group, int32_t groups, int fp4, int i, struct tile_activations *to) {
  const int8_t *q = a->q + token * a->padded + first;
  int32_t bytes = a->padded - first < TILES_PANEL ? a->padded - first : TILES_PANEL;
  (void)columns;
  for (int32_t k = 0; k < bytes; k += 64) {
    _mm512_store_si512(to->q[i] + k, _mm512_loadu_si512(q + k));
  }
  const float *scale = a->scale + token * a->groups + first_group;
  const float *sum = a->sum + token * a->groups + first_group;
  for (int32_t g = 0; g < groups; g += 16) {
    __mmask16 mask = (__mmask16)tiles_first(groups - g < 16 ? groups - g : 16);
    _mm512_store_ps(to->scale[i] + g, _mm512_maskz_loadu_ps(mask, scale + g));
    __m512 sums = _mm512_maskz_loadu_ps(mask, sum + g);
    if (fp4) {
      __m512i less = _mm512_cvtps_epi32(_mm512_mul_ps(sums, _mm512_set1_ps(-12)));
      _mm512_store_si512(to->less[i] + g, less);
    } else {
      _mm512_store_ps(to->sum[i] + g, sums);
    }
  }
}

/* Adds one panel's groups to y [tokens][32 rows]. */
TILES_INLINE void tiles_multiply(const struct tile_weights *w, const struct tile_activations *a,
                                 const int tokens, const int fp4, float (*y)[TILE_ROWS]) {
  const __m512i *codes = (const __m512i *)w->codes;
  const int32_t *order = w->order;
  for (int32_t g = 0; g < w->groups; g++) {
    __m512i sums[TILE_TOKENS][2];
#pragma GCC unroll 12
    for (int i = 0; i < tokens; i++) {
      sums[i][0] = sums[i][1] = fp4 ? _mm512_set1_epi32(a->less[i][g]) : _mm512_setzero_si512();
    }
    for (int32_t s = 0; s < w->steps; s++) {
      const int8_t *q = a->q[0] + *order++;
      __m512i low = _mm512_load_si512(codes), high = _mm512_load_si512(codes + 1);
      codes += 2;
#pragma GCC unroll 12
      for (int i = 0; i < tokens; i++) {
        int32_t four;
        memcpy(&four, q + i * TILE_Q, 4);
        __m512i x = _mm512_set1_epi32(four);
        sums[i][0] = _mm512_dpbusd_epi32(sums[i][0], low, x);
        sums[i][1] = _mm512_dpbusd_epi32(sums[i][1], high, x);
      }
    }
#pragma GCC unroll 12
    for (int i = 0; i < tokens; i++) {
      __m512 scale = _mm512_set1_ps(a->scale[i][g]);
#pragma GCC unroll 2
      for (int h = 0; h < 2; h++) {
        __m512 sum = _mm512_cvtepi32_ps(sums[i][h]);
        __m512 weight = _mm512_load_ps(w->scales[g] + 16 * h);
        __m512 m;
        if (fp4) {
          m = _mm512_mul_ps(weight, sum);
        } else {
          __m512 bias = _mm512_mul_ps(_mm512_load_ps(w->biases[g] + 16 * h), _mm512_set1_ps(a->sum[i][g]));
          m = _mm512_fmadd_ps(weight, sum, bias);
        }
        _mm512_store_ps(y[i] + 16 * h, _mm512_fmadd_ps(m, scale, _mm512_load_ps(y[i] + 16 * h)));
      }
    }
  }
}

#define TILES_CASE(tokens)                                                   \
  case tokens:                                                               \
    if (fp4) {                                                               \
      tiles_multiply(w, a, tokens, 1, y);                                    \
    } else {                                                                 \
      tiles_multiply(w, a, tokens, 0, y);                                    \
    }                                                                        \
    break;

static __attribute__((noinline)) void tiles_multiply_tokens(const struct tile_weights *w, const struct tile_activations *a,
                                  int32_t tokens, int fp4, float (*y)[TILE_ROWS]) {
  switch (tokens) {
    TILES_CASE(1)
    TILES_CASE(2)
    TILES_CASE(3)
    TILES_CASE(4)
    TILES_CASE(5)
    TILES_CASE(6)
    TILES_CASE(7)
    TILES_CASE(8)
    TILES_CASE(9)
    TILES_CASE(10)
    TILES_CASE(11)
    default:
    TILES_CASE(TILE_TOKENS)
  }
}

static __attribute__((noinline)) void tiles_unpack_any(const struct qn_format *f, const uint8_t *const rows[16], int64_t at,
                             int64_t left, __m512i *to) {
  switch (f->bits) {
    case 2:
      tiles_unpack(rows, at, left, 2, 0, to);
      break;
    case 3:
      tiles_unpack(rows, at, left, 3, 0, to);
      break;
    case 4:
      if (f->mode == QN_AFFINE) {
        tiles_unpack(rows, at, left, 4, 0, to);
      } else {
        tiles_unpack(rows, at, left, 4, 1, to);
      }
      break;
    case 5:
      tiles_unpack(rows, at, left, 5, 0, to);
      break;
    case 6:
      tiles_unpack(rows, at, left, 6, 0, to);
      break;
    default:
      tiles_unpack(rows, at, left, 8, 0, to);
      break;
  }
}

static __attribute__((noinline)) void tiles_scales_any(const struct qn_format *f, const uint8_t *const rows[16], int64_t at,
                             int64_t left, int32_t groups, float *to) {
  __m512 *out = (__m512 *)to;
  if (f->mode == QN_MXFP4) {
    tiles_scales(rows, at, left, groups, QN_MXFP4, 0, out);
  } else if (f->mode == QN_NVFP4) {
    tiles_scales(rows, at, left, groups, QN_NVFP4, 0, out);
  } else if (f->type == QN_BF16) {
    tiles_scales(rows, at, left, groups, QN_AFFINE, QN_BF16, out);
  } else if (f->type == QN_F16) {
    tiles_scales(rows, at, left, groups, QN_AFFINE, QN_F16, out);
  } else {
    tiles_scales(rows, at, left, groups, QN_AFFINE, QN_F32, out);
  }
}

/* Where a panel's rows are: those past the last one are the last one again, and are not written. */
struct tile_rows {
  const uint8_t *codes[TILE_ROWS];
  const uint8_t *scales[TILE_ROWS];
  const uint8_t *biases[TILE_ROWS];
};

static void tiles_find(const struct qn_matrix *m, const struct qn_planes *planes, int32_t first,
                       int32_t last, struct tile_rows *rows) {
  for (int32_t i = 0; i < TILE_ROWS; i++) {
    int64_t r = first + i < last ? first + i : last - 1;
    rows->codes[i] = planes->codes + r * m->row_bytes;
    rows->scales[i] = planes->scales + r * m->scale_row_bytes;
    rows->biases[i] = planes->biases == NULL ? NULL : planes->biases + r * m->scale_row_bytes;
  }
}

/* One panel of 32 rows: columns from "first" on. */
static void tiles_prepare(const struct qn_matrix *m, const struct tile_rows *rows, int32_t first,
                          struct tile_weights *w) {
  const struct qn_format *f = &m->format;
  int32_t columns = m->columns - first < TILES_PANEL ? m->columns - first : TILES_PANEL;
  int32_t size = f->mode != QN_AFFINE ? 1 : f->type == QN_F32 ? 4 : 2;
  w->groups = columns / f->group;
  for (int32_t h = 0; h < 2; h++) {
    int64_t at = (int64_t)first * f->bits / 8;
    tiles_unpack_any(f, rows->codes + 16 * h, at, (int64_t)m->columns * f->bits / 8 - at,
                     (__m512i *)w->codes + h);
    at = (int64_t)first / f->group * size;
    int64_t left = (int64_t)m->columns / f->group * size - at;
    tiles_scales_any(f, rows->scales + 16 * h, at, left, w->groups, w->scales[0] + 16 * h);
    if (f->mode == QN_AFFINE) {
      tiles_scales_any(f, rows->biases + 16 * h, at, left, w->groups, w->biases[0] + 16 * h);
    }
  }
}

/* Rows first <= r < last, at most 32, of one token. */
static void tiles_store(const struct qn_matrix *m, int32_t first, int32_t last, const float *y, float *out) {
  for (int32_t h = 0; h < TILE_ROWS && first + h < last; h += 16) {
    __mmask16 mask = (__mmask16)tiles_first(last - first - h < 16 ? last - first - h : 16);
    __m512 rows = _mm512_load_ps(y + h);
    if (m->row_map == NULL) {
      _mm512_mask_storeu_ps(out + first + h, mask, rows);
    } else {
      __m512i to = _mm512_maskz_loadu_epi32(mask, m->row_map + first + h);
      _mm512_mask_i32scatter_ps(out, mask, to, rows, 4);
    }
  }
}

static void avx512_multiply_many(const struct qn_matrix *m, int32_t expert, int32_t first, int32_t last,
                                 const struct qn_activations *a, const int32_t *tokens, int32_t count,
                                 float *out, int64_t out_stride, const int32_t *out_rows) {
  const struct qn_format *f = &m->format;
  int fp4 = f->mode != QN_AFFINE;
  struct tile_weights w;
  struct tile_activations x;
  struct tile_rows rows;
  _Alignas(64) float y[TILE_CHUNK][TILE_ROWS];

  int values = tiles_values(f->bits);
  for (int32_t s = 0; s < TILES_PANEL / 4; s++) {
    int32_t quad = s / values, block = quad / 16;
    w.order[s] = block * 64 * values + s % values * 64 + quad % 16 * 4;
  }
  w.steps = f->group / 4;

  /* Chunks of tokens, and tiles of a chunk, are of equal size, or nearly. */
  int32_t chunks = (count + TILE_CHUNK - 1) / TILE_CHUNK;
  for (int32_t r = first; r < last; r += TILE_ROWS) {
    tiles_find(m, &m->planes[expert], r, last, &rows);
    for (int32_t c = 0; c < chunks; c++) {
      int32_t from = (int32_t)((int64_t)count * c / chunks);
      int32_t to = (int32_t)((int64_t)count * (c + 1) / chunks);
      int32_t tiles = (to - from + TILE_TOKENS - 1) / TILE_TOKENS;
      memset(y, 0, (size_t)(to - from) * sizeof y[0]);
      for (int32_t k = 0; k < m->columns; k += TILES_PANEL) {
        tiles_prepare(m, &rows, k, &w);
        for (int32_t t = 0; t < tiles; t++) {
          int32_t begin = from + (to - from) * t / tiles, end = from + (to - from) * (t + 1) / tiles;
          for (int32_t i = begin; i < end; i++) {
            tiles_copy(a, tokens == NULL ? i : tokens[i], k, 0, k / f->group, w.groups, fp4, i - begin, &x);
          }
          tiles_multiply_tokens(&w, &x, end - begin, fp4, y + (begin - from));
        }
      }
      for (int32_t i = from; i < to; i++) {
        tiles_store(m, r, last < r + TILE_ROWS ? last : r + TILE_ROWS, y[i - from],
                    out + (out_rows == NULL ? i : out_rows[i]) * out_stride);
      }
    }
  }
}
