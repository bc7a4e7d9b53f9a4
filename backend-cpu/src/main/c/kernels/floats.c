/*
 * Products with f32 activations: plain and MXFP8 matrices. Written on lanes, for every instruction
 * set; kernels.h has the order of the sums.
 *
 * Four rows go through the columns together, so that each x is loaded once for four of them, and
 * where registers allow four tokens do, so that each weight is widened once for four. Every pair of
 * row and token has a sum of its own, hence the same bits in any company.
 */

enum {
  FLOATS_ROWS = 4,
  FLOATS_TOKENS = LANES_ROWS * LANES_BLOCKS / FLOATS_ROWS,
  /* Rows that stay in the second cache while all tokens pass. */
  FLOATS_BLOCK = 32,
  FLOATS_MXFP8_GROUP = 32,
  /* Memory is asked for so many bytes before its use; hardware does it too, but stops at each page. */
  FLOATS_AHEAD = 16384,
};

/* How weights are stored: plain types, and then MXFP8. */
enum floats_kind { FLOATS_F32 = QN_F32, FLOATS_F16 = QN_F16, FLOATS_BF16 = QN_BF16, FLOATS_MXFP8 };

#define FLOATS_INLINE static inline __attribute__((always_inline))

FLOATS_INLINE int64_t floats_bytes(enum floats_kind kind) {
  return kind == FLOATS_MXFP8 ? 1 : kind == FLOATS_F32 ? 4 : 2;
}

/* Sixteen weights of a row from column k on. */
FLOATS_INLINE lanes floats_weights(enum floats_kind kind, const uint8_t *row, const uint8_t *scales, int32_t k) {
  switch (kind) {
    case FLOATS_F32:
      return lanes_load((const float *)(const void *)(row + 4 * (int64_t)k));
    case FLOATS_F16:
      return lanes_f16(row + 2 * (int64_t)k);
    case FLOATS_BF16:
      return lanes_bf16(row + 2 * (int64_t)k);
    default:
      return lanes_mul(lanes_e4m3(row + k), lanes_all(qn_from_e8m0(scales[k / FLOATS_MXFP8_GROUP])));
  }
}

/* The last n < 16, then zeros. MXFP8 has whole groups only. */
FLOATS_INLINE lanes floats_last_weights(enum floats_kind kind, const uint8_t *row, int32_t k, int n) {
  switch (kind) {
    case FLOATS_F16:
      return lanes_f16_n(row + 2 * (int64_t)k, n);
    case FLOATS_BF16:
      return lanes_bf16_n(row + 2 * (int64_t)k, n);
    default:
      return lanes_load_n((const float *)(const void *)(row + 4 * (int64_t)k), n);
  }
}

/* y[token][row] of four rows and so many tokens. */
FLOATS_INLINE void floats_tile(enum floats_kind kind, int tokens, int32_t columns,
                               const uint8_t *const rows[FLOATS_ROWS],
                               const uint8_t *const scales[FLOATS_ROWS],
                               const float *const x[FLOATS_TOKENS],
                               float y[FLOATS_TOKENS][FLOATS_ROWS]) {
  lanes sums[FLOATS_TOKENS][FLOATS_ROWS];
  for (int i = 0; i < tokens; i++) {
    for (int r = 0; r < FLOATS_ROWS; r++) {
      sums[i][r] = lanes_zero();
    }
  }
  int32_t k = 0;
  for (; k + 16 <= columns; k += 16) {
    lanes w[FLOATS_ROWS];
    for (int r = 0; r < FLOATS_ROWS; r++) {
      if (tokens == 1) {
        __builtin_prefetch(rows[r] + k * floats_bytes(kind) + FLOATS_AHEAD, 0, 2);
      }
      w[r] = floats_weights(kind, rows[r], scales[r], k);
    }
    for (int i = 0; i < tokens; i++) {
      lanes v = lanes_load(x[i] + k);
      for (int r = 0; r < FLOATS_ROWS; r++) {
        sums[i][r] = lanes_fma(w[r], v, sums[i][r]);
      }
    }
  }
  if (k < columns) {
    for (int r = 0; r < FLOATS_ROWS; r++) {
      lanes w = floats_last_weights(kind, rows[r], k, columns - k);
      for (int i = 0; i < tokens; i++) {
        sums[i][r] = lanes_fma(w, lanes_load_n(x[i] + k, columns - k), sums[i][r]);
      }
    }
  }
  for (int i = 0; i < tokens; i++) {
    for (int r = 0; r < FLOATS_ROWS; r++) {
      y[i][r] = lanes_sum(sums[i][r]);
    }
  }
}

typedef void floats_function(int32_t columns, const uint8_t *const *rows, const uint8_t *const *scales,
                             const float *const *x, float (*y)[FLOATS_ROWS]);

#define FLOATS_FUNCTION(NAME, KIND, TOKENS)                                                         \
  static void NAME(int32_t columns, const uint8_t *const *rows, const uint8_t *const *scales,       \
                   const float *const *x, float (*y)[FLOATS_ROWS]) {                                \
    floats_tile(KIND, TOKENS, columns, rows, scales, x, y);                                         \
  }
FLOATS_FUNCTION(floats_f32_one, FLOATS_F32, 1)
FLOATS_FUNCTION(floats_f16_one, FLOATS_F16, 1)
FLOATS_FUNCTION(floats_bf16_one, FLOATS_BF16, 1)
FLOATS_FUNCTION(floats_mxfp8_one, FLOATS_MXFP8, 1)
FLOATS_FUNCTION(floats_f32_many, FLOATS_F32, FLOATS_TOKENS)
FLOATS_FUNCTION(floats_f16_many, FLOATS_F16, FLOATS_TOKENS)
FLOATS_FUNCTION(floats_bf16_many, FLOATS_BF16, FLOATS_TOKENS)
FLOATS_FUNCTION(floats_mxfp8_many, FLOATS_MXFP8, FLOATS_TOKENS)

/* [kind][many] */
static floats_function *const floats_functions[4][2] = {
    [FLOATS_F32] = {floats_f32_one, floats_f32_many},
    [FLOATS_F16] = {floats_f16_one, floats_f16_many},
    [FLOATS_BF16] = {floats_bf16_one, floats_bf16_many},
    [FLOATS_MXFP8] = {floats_mxfp8_one, floats_mxfp8_many},
};

static void floats_multiply(const struct qn_product *p, int32_t first, int32_t last) {
  const struct qn_matrix *m = p->matrix;
  const struct qn_planes *planes = &m->planes[p->expert];
  int mxfp8 = m->format.mode == QN_MXFP8;
  enum floats_kind kind = mxfp8 ? FLOATS_MXFP8 : (enum floats_kind)m->format.type;
  for (int32_t block = first; block < last; block += FLOATS_BLOCK) {
    int32_t end = last - block < FLOATS_BLOCK ? last : block + FLOATS_BLOCK;
    for (int32_t i = 0, n; i < p->count; i += n) {
      n = p->count - i < FLOATS_TOKENS ? 1 : FLOATS_TOKENS;
      const float *x[FLOATS_TOKENS];
      for (int32_t t = 0; t < n; t++) {
        x[t] = p->x.x + (int64_t)(p->tokens == NULL ? i + t : p->tokens[i + t]) * m->columns;
      }
      for (int32_t row = block; row < end; row += FLOATS_ROWS) {
        /* Past the last row it is the last row again. */
        const uint8_t *rows[FLOATS_ROWS], *scales[FLOATS_ROWS];
        for (int32_t r = 0; r < FLOATS_ROWS; r++) {
          int64_t stored = row + r < end ? row + r : end - 1;
          rows[r] = planes->codes + stored * m->row_bytes;
          scales[r] = mxfp8 ? planes->scales + stored * m->scale_row_bytes : NULL;
        }
        float y[FLOATS_TOKENS][FLOATS_ROWS];
        floats_functions[kind][n > 1](m->columns, rows, scales, x, y);
        for (int32_t t = 0; t < n; t++) {
          float *to = p->out + (i + t) * p->out_stride;
          for (int32_t r = 0; r < FLOATS_ROWS && row + r < end; r++) {
            to[m->row_map == NULL ? row + r : m->row_map[row + r]] = y[t][r];
          }
        }
      }
    }
  }
}
