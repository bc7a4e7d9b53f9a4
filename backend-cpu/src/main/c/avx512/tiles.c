/*
 * Products for many tokens (prefill), to the bit those of plain/quantized.c.
 *
 * A few tokens are bound by reading and unpacking weights, many by the products. So the codes of 64
 * rows by 256 columns are unpacked once (16 KiB, in the first cache) and then multiplied with up to
 * 6 tokens at a time, whose 24 sums of 16 rows stay in registers.
 *
 * Rows lie in lanes. vpdpbusd adds four neighbouring products per lane, so a step takes four codes of
 * each of 16 rows and four bytes of q, the same for all rows: a broadcast, which load ports do by
 * themselves. Both vector ports are left to the products, two a cycle. If columns lay in lanes
 * instead, as they do for few tokens, each sum would have to be added up across lanes at the end.
 *
 * A group of columns ends the integer sum, since each group has a scale of its own: after 16 steps
 * (of a group of 64; 8 of one of 32) a sum becomes f32 and is added to y. These four instructions
 * are what is lost against the peak, a fifth (a third) of the time. y itself waits in memory
 * meanwhile: its turn comes only once per group.
 */
#include "tiles-unpack.h"

#include <string.h>

enum {
  TILE_ROWS = 64,
  TILE_TOKENS = 6,
  /* Tokens that share an unpacked panel: bounds y (24 KiB), and makes unpacking cheap. */
  TILE_CHUNK = 96,
  /* Groups whose scales are prepared at a time, as many as load_scales takes. */
  TILE_GROUPS = 16,
  TILE_STEPS = TILES_PANEL / 4,
};

/* 64 rows of weights: codes of one panel, scales of one or more. */
struct tile_weights {
  _Alignas(64) uint8_t codes[TILE_STEPS][TILE_ROWS][4];
  float scales[TILE_GROUPS][TILE_ROWS];
  float biases[TILE_GROUPS][TILE_ROWS];
};

/* Ends a group's sums of 16 rows and one token: adds them to y. */
QN_INLINE void tile_add(int fp4, __m512i sums, const float *scales, const float *biases, float scale,
                        float sum, float *y) {
  __m512 dot = _mm512_cvtepi32_ps(sums), m;
  if (fp4) {
    m = _mm512_mul_ps(_mm512_load_ps(scales), dot);
  } else {
    m = _mm512_mul_ps(_mm512_load_ps(biases), _mm512_set1_ps(sum));
    m = _mm512_fmadd_ps(_mm512_load_ps(scales), dot, m);
  }
  _mm512_store_ps(y, _mm512_fmadd_ps(m, _mm512_set1_ps(scale), _mm512_load_ps(y)));
}

/* vpdpbusd. Its intrinsic makes gcc 12 copy sums from register to register and into memory. */
#define TILE_DOT(sums, codes, x) __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(codes), "v"(x))

/*
 * One token's part of a tile; the sums of its 64 rows are a, b, c and d. They are variables and not
 * an array, which gcc would keep in memory.
 */
#define TILE_EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

#define TILE_TOKEN(i)                         \
  const int8_t *q##i = q[i < tokens ? i : 0]; \
  const float *scale##i = scale[i < tokens ? i : 0], *sum##i = sum[i < tokens ? i : 0];

#define TILE_BEGIN(i)                                                                          \
  __m512i a##i = _mm512_setzero_si512();                                                       \
  if (fp4 && i < tokens) {                                                                     \
    a##i = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_set1_ps(sum##i[g]), _mm512_set1_ps(-FP4_OFFSET))); \
  }                                                                                            \
  __m512i b##i = a##i, c##i = a##i, d##i = a##i;

#define TILE_STEP(i)                        \
  if (i < tokens) {                         \
    int32_t four;                           \
    memcpy(&four, q##i + at, 4);            \
    __m512i x = _mm512_set1_epi32(four);    \
    TILE_DOT(a##i, codes[0], x);            \
    TILE_DOT(b##i, codes[1], x);            \
    if (rows == 64) {                       \
      TILE_DOT(c##i, codes[2], x);          \
      TILE_DOT(d##i, codes[3], x);          \
    }                                       \
  }

#define TILE_END(i)                                                                              \
  if (i < tokens) {                                                                              \
    tile_add(fp4, a##i, scales, biases, scale##i[g], sum##i[g], y[i]);                           \
    tile_add(fp4, b##i, scales + 16, biases + 16, scale##i[g], sum##i[g], y[i] + 16);            \
    if (rows == 64) {                                                                            \
      tile_add(fp4, c##i, scales + 32, biases + 32, scale##i[g], sum##i[g], y[i] + 32);          \
      tile_add(fp4, d##i, scales + 48, biases + 48, scale##i[g], sum##i[g], y[i] + 48);          \
    }                                                                                            \
  }

/*
 * Adds the groups first_group <= g < last_group to y of so many tokens and of 32 or 64 rows. "order"
 * tells where in q the four bytes of each step are, from the first step of the panel on.
 */
QN_INLINE void tile_multiply(int tokens, int rows, int fp4, const struct tile_weights *w,
                             const int32_t *order, int32_t steps, int32_t first_group,
                             int32_t last_group, const int8_t *const *q, const float *const *scale,
                             const float *const *sum, float (*y)[TILE_ROWS]) {
  const __m512i *codes = (const __m512i *)w->codes;
  TILE_EACH(TILE_TOKEN)
  for (int32_t g = first_group; g < last_group; g++) {
    const float *scales = w->scales[g % TILE_GROUPS], *biases = w->biases[g % TILE_GROUPS];
    /* Hides from gcc that y is the same in each group: it would keep y in registers, not the sums. */
    __asm__("" : "+r"(y));
    TILE_EACH(TILE_BEGIN)
    const int32_t *end = order + steps;
    do {
      int64_t at = *order++;
      TILE_EACH(TILE_STEP)
      codes += TILE_ROWS / 16;
    } while (order != end);
    TILE_EACH(TILE_END)
  }
}

typedef void tile_function(const struct tile_weights *w, const int32_t *order, int32_t steps,
                           int32_t first_group, int32_t last_group, const int8_t *const *q,
                           const float *const *scale, const float *const *sum,
                           float (*y)[TILE_ROWS]);

#define TILE_FUNCTION(NAME, TOKENS, NUMBER_OF_ROWS, FP4)                                           \
  static void NAME(const struct tile_weights *w, const int32_t *order, int32_t steps,              \
                   int32_t first_group, int32_t last_group, const int8_t *const *q,                \
                   const float *const *scale, const float *const *sum, float (*y)[TILE_ROWS]) {    \
    tile_multiply(TOKENS, NUMBER_OF_ROWS, FP4, w, order, steps, first_group, last_group, q, scale, \
                  sum, y);                                                                         \
  }
#define TILE_FUNCTIONS(TOKENS)                       \
  TILE_FUNCTION(tile_##TOKENS##_32, TOKENS, 32, 0)   \
  TILE_FUNCTION(tile_##TOKENS##_64, TOKENS, 64, 0)   \
  TILE_FUNCTION(tile_##TOKENS##_32_fp4, TOKENS, 32, 1) \
  TILE_FUNCTION(tile_##TOKENS##_64_fp4, TOKENS, 64, 1)
TILE_FUNCTIONS(1)
TILE_FUNCTIONS(2)
TILE_FUNCTIONS(3)
TILE_FUNCTIONS(4)
TILE_FUNCTIONS(5)
TILE_FUNCTIONS(6)

/* [tokens - 1][more than 32 rows][fp4] */
#define TILE_NAMES(TOKENS) \
  {{tile_##TOKENS##_32, tile_##TOKENS##_32_fp4}, {tile_##TOKENS##_64, tile_##TOKENS##_64_fp4}}
static tile_function *const tile_functions[TILE_TOKENS][2][2] = {
    TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3), TILE_NAMES(4), TILE_NAMES(5), TILE_NAMES(6),
};

static void unpack_any(enum code code, const uint8_t *const rows[ROWS], int64_t at, int64_t left,
                       __m512i *to) {
  const int apart = TILE_ROWS / 16;
  switch (code) {
    case CODE_FP4:
      unpack_rows(CODE_FP4, rows, at, left, apart, to);
      break;
    case CODE_2:
      unpack_rows(CODE_2, rows, at, left, apart, to);
      break;
    case CODE_3:
      unpack_rows(CODE_3, rows, at, left, apart, to);
      break;
    case CODE_4:
      unpack_rows(CODE_4, rows, at, left, apart, to);
      break;
    case CODE_5:
      unpack_rows(CODE_5, rows, at, left, apart, to);
      break;
    case CODE_6:
      unpack_rows(CODE_6, rows, at, left, apart, to);
      break;
    case CODE_8:
      unpack_rows(CODE_8, rows, at, left, apart, to);
      break;
  }
}

/* Scales of all rows from group g on, as many as fit. */
static void tile_scales(const struct qn_matrix *m, const struct rows rows[4], int sets, int32_t g,
                        float (*to)[TILE_ROWS]) {
  int32_t groups = m->columns / m->format.group;
  for (int h = 0; h < sets; h++) {
    __m512 scales[TILE_GROUPS];
    load_scales(&m->format, &rows[h], g, groups, scales);
    for (int i = 0; i < TILE_GROUPS && g + i < groups; i++) {
      _mm512_store_ps(to[i] + 16 * h, scales[i]);
    }
  }
}

/* Asks for rows first <= r < last of what is unpacked next, "bytes" of each. */
static void tile_ask(const uint8_t *from, int64_t stride, int32_t first, int32_t last, int32_t bytes) {
  for (int32_t r = first; r < last; r++) {
    for (int32_t i = 0; i < bytes; i += 64) {
      _mm_prefetch((const char *)from + r * stride + i, _MM_HINT_T1);
    }
  }
}

/* Rows first <= r < last, at most 64, for at most TILE_CHUNK tokens: y [count][64]. */
static void tile_block(const struct qn_product *p, int32_t first, int32_t last, int32_t token, int32_t count,
                       const int32_t *order, float (*y)[TILE_ROWS]) {
  const struct qn_matrix *m = p->matrix;
  const struct qn_planes *planes = &m->planes[p->expert];
  const struct qn_activations *a = &p->x;
  const struct qn_format *f = &m->format;
  enum code code = code_of(f);
  int64_t used = (int64_t)m->columns * f->bits / 8, scales_used = (int64_t)a->groups * scale_bytes(f);
  int sets = last - first > 32 ? 4 : 2;
  struct rows codes[4], scales[4], biases[4];
  for (int h = 0; h < sets; h++) {
    int32_t from = first + 16 * h < last ? first + 16 * h : last - 1;
    codes[h] = rows_of(planes->codes, m->row_bytes, used, from, last, m->rows);
    scales[h] = rows_of(planes->scales, m->scale_row_bytes, scales_used, from, last, m->rows);
    if (planes->biases != NULL) {
      biases[h] = rows_of(planes->biases, m->scale_row_bytes, scales_used, from, last, m->rows);
    }
  }

  struct tile_weights w;
  int32_t panel_bytes = TILES_PANEL * f->bits / 8;
  int32_t tiles = (count + TILE_TOKENS - 1) / TILE_TOKENS;
  for (int32_t k = 0; k < m->columns; k += TILES_PANEL) {
    int32_t g = k / f->group;
    int32_t last_group = m->columns - k < TILES_PANEL ? a->groups : g + TILES_PANEL / f->group;
    int64_t at = (int64_t)k * f->bits / 8;
    for (int h = 0; h < sets; h++) {
      unpack_any(code, codes[h].at, at, used - at, (__m512i *)w.codes + h);
    }
    if (g % TILE_GROUPS == 0) {
      tile_scales(m, scales, sets, g, w.scales);
      if (planes->biases != NULL) {
        tile_scales(m, biases, sets, g, w.biases);
      }
    }
    /* The next panel lies in the same rows, or begins those that follow. */
    const uint8_t *next = k + TILES_PANEL < m->columns ? codes[0].at[0] + at + panel_bytes
                          : last < m->rows             ? planes->codes + last * m->row_bytes
                          : p->next != NULL            ? p->next->codes
                                                       : NULL;
    for (int32_t t = 0; t < tiles; t++) {
      if (next != NULL) {
        tile_ask(next, m->row_bytes, TILE_ROWS * t / tiles, TILE_ROWS * (t + 1) / tiles, panel_bytes);
      }
      int32_t from = count * t / tiles, n = count * (t + 1) / tiles - from;
      const int8_t *q[TILE_TOKENS];
      const float *scale[TILE_TOKENS], *sum[TILE_TOKENS];
      for (int32_t i = 0; i < n; i++) {
        int64_t x = p->tokens == NULL ? token + from + i : p->tokens[token + from + i];
        q[i] = a->q + x * a->padded + k / QN_PAD * QN_PAD;
        scale[i] = a->scale + x * a->groups;
        sum[i] = a->sum + x * a->groups;
      }
      tile_functions[n - 1][sets == 4][f->mode != QN_AFFINE](&w, order + k % QN_PAD / 4, f->group / 4, g,
                                                             last_group, q, scale, sum, y + from);
    }
  }
}

static void avx512_multiply_many(const struct qn_product *p, int32_t first, int32_t last) {
  const struct qn_matrix *m = p->matrix;
  int32_t count = p->count;
  /* Step s is code s mod V of the four periods from 4 (s / V) on. */
  int32_t order[QN_PAD / 4], vectors = code_vectors(code_of(&m->format));
  for (int32_t s = 0; s < QN_PAD / 4; s++) {
    int32_t quad = s / vectors;
    order[s] = quad / 16 * 64 * vectors + s % vectors * 64 + quad % 16 * 4;
  }
  /* Chunks of tokens, and tiles of a chunk, are of the same size, or nearly. */
  int32_t chunks = (count + TILE_CHUNK - 1) / TILE_CHUNK;
  for (int32_t r = first; r < last; r += TILE_ROWS) {
    int32_t end = last - r < TILE_ROWS ? last : r + TILE_ROWS;
    for (int32_t c = 0; c < chunks; c++) {
      int32_t from = (int32_t)((int64_t)count * c / chunks), to = (int32_t)((int64_t)count * (c + 1) / chunks);
      _Alignas(64) float y[TILE_CHUNK][TILE_ROWS];
      memset(y, 0, (size_t)(to - from) * sizeof y[0]);
      tile_block(p, r, end, from, to - from, order, y);
      for (int32_t i = from; i < to; i++) {
        float *row = p->out + i * p->out_stride;
        for (int32_t h = r; h < end; h += ROWS) {
          write_rows(m, h, end - h < ROWS ? end - h : ROWS, _mm512_load_ps(y[i - from] + h - r), row);
        }
      }
    }
  }
}
