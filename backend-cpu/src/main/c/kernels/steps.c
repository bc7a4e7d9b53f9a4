/*
 * Products with integer activations, as a frame around what avx2/quantized.c and neon/quantized.c
 * do with their vectors:
 *
 *   STEP                                   int32 lanes of a vector
 *   step_bytes, step_ints, step_floats     a vector of codes, of int32, of f32
 *   step_codes, step_vectors, step_block_bytes, step_unpack, step_scales: see their unpack.h
 *   step_dot, step_gather, step_scaled, step_add_groups and others: see their quantized.c
 *
 * A step is STEP groups of as many rows. Each row's codes are unpacked and multiplied with q, which
 * lies in the same order, into vectors of int32 lanes; neighbouring lanes are added until lane g
 * holds group g. Scales make f32 of them, which are transposed so that a lane is a row, and added
 * to the rows' sums group by group.
 */

/* Tokens for which codes are unpacked once. */
#define STEP_TOKENS 64

/* Lanes of int32 that hold one group's products. */
STEP_INLINE int step_lanes(int bits, int group) { return group / (4 * step_codes(bits)); }

/* A step's products of one row are first added up in so many vectors... */
STEP_INLINE int step_sums(int bits, int group) {
  return step_lanes(bits, group) < STEP ? step_lanes(bits, group) : STEP;
}

/* ... each of this many vectors of codes: eight at most. */
STEP_INLINE int step_addends(int bits, int group) { return group / 4 / step_sums(bits, group); }

/* STEP rows; past the last one it is taken again. */
struct step_rows {
  const uint8_t *codes[STEP], *scales[STEP], *biases[STEP];
};

STEP_INLINE void step_find_rows(int mode, const struct qn_matrix *m, const struct qn_planes *planes, int32_t first,
                                int32_t last, struct step_rows *rows) {
  for (int i = 0; i < STEP; i++) {
    int64_t r = first + i < last ? first + i : last - 1;
    rows->codes[i] = planes->codes + r * m->row_bytes;
    rows->scales[i] = planes->scales + r * m->scale_row_bytes;
    rows->biases[i] = mode == QN_AFFINE ? planes->biases + r * m->scale_row_bytes : NULL;
  }
}

/* One row's part of a step. */
struct step_part {
  const uint8_t *codes, *scales, *biases;
};

/* Memory for a row's last step, when it has fewer than STEP groups: what is missing is zero. */
struct step_rest {
  _Alignas(32) uint8_t codes[STEP * 128];
  uint8_t scales[STEP * 4], biases[STEP * 4];
};

/* The part that begins with group g; "groups" of it are there. */
STEP_INLINE struct step_part step_find_part(int mode, int bits, int group, int type, const struct step_rows *rows,
                                            int i, int32_t g, int groups, struct step_rest *rest) {
  int scale_bytes = mode != QN_AFFINE ? 1 : type == QN_F32 ? 4 : 2;
  struct step_part part = {rows->codes[i] + (int64_t)g * group * bits / 8, rows->scales[i] + g * scale_bytes,
                           mode == QN_AFFINE ? rows->biases[i] + g * scale_bytes : NULL};
  if (groups == STEP) {
    return part;
  }
  memset(rest, 0, sizeof *rest);
  memcpy(rest->codes, part.codes, (size_t)(groups * group * bits / 8));
  memcpy(rest->scales, part.scales, (size_t)(groups * scale_bytes));
  if (mode == QN_AFFINE) {
    memcpy(rest->biases, part.biases, (size_t)(groups * scale_bytes));
  }
  return (struct step_part){rest->codes, rest->scales, rest->biases};
}

/* A token's part of a step. */
struct step_input {
  const int8_t *q;
  const float *scale;
  step_floats sums;
  step_ints excess;
};

STEP_INLINE struct step_input step_find_input(int mode, int bits, int group, const struct qn_activations *a,
                                              int64_t token, int32_t g, int groups) {
  int64_t at = token * a->groups + g;
  _Alignas(32) float sums[STEP] = {0};
  memcpy(sums, a->sum + at, (size_t)groups * sizeof *sums);
  struct step_input input = {.q = a->q + token * a->padded + (int64_t)g * group,
                             .scale = a->scale + at,
                             .sums = step_load_floats(sums)};
  input.excess = step_excess(mode, bits, input.sums);
  return input;
}

STEP_INLINE void step_store(const struct qn_matrix *m, int32_t first, int32_t last, step_floats y, float *out) {
  _Alignas(32) float lanes[STEP];
  step_store_floats(lanes, y);
  for (int32_t r = first; r < last && r < first + STEP; r++) {
    out[m->row_map == NULL ? r : m->row_map[r]] = lanes[r - first];
  }
}

/* How many of a step's sums belong to so many groups: q ends with the last of them. */
STEP_INLINE int step_sums_of(int bits, int group, int groups) {
  int sums = step_sums(bits, group);
  return (groups * sums + STEP - 1) / STEP;
}

/* STEP groups of one row and one token. */
STEP_INLINE step_floats step_row_step(int mode, int bits, int group, int type, struct step_part part,
                                      const struct step_input *input, int groups) {
  int sums = step_sums(bits, group);
  int addends = step_addends(bits, group);
  int vectors = step_vectors(bits);
  step_ints sum[STEP];
#pragma GCC unroll 8
  for (int s = 0; s < sums; s++) {
    step_bytes u[8];
    if (s >= step_sums_of(bits, group, groups)) {
      sum[s] = step_no_sum();
      continue;
    }
#pragma GCC unroll 8
    for (int block = 0; block < addends / vectors; block++) {
      step_unpack(mode, bits, part.codes + (s * addends / vectors + block) * step_block_bytes(bits),
                  u + block * vectors);
    }
    sum[s] = step_dot(mode, bits, addends, u, input->q + 4 * STEP * addends * s);
  }
  step_floats scales = step_scales(mode, type, part.scales);
  step_floats biases = mode == QN_AFFINE ? step_scales(mode, type, part.biases) : scales;
  return step_scaled(mode, step_gather(sums, sum), input->excess, scales, biases, input->sums);
}

/* Steps of a row in one go, and how far ahead of it memory is asked for, in bytes. */
#define STEPS (64 / STEP)
#define STEP_AHEAD 4096

/*
 * One token: codes go from memory to the sums without a stop, row after row as they lie there; a
 * row's groups wait for those of the others.
 */
STEP_INLINE void step_one(int mode, int bits, int group, const struct qn_product *p, int32_t first, int32_t last,
                          int32_t at) {
  const struct qn_matrix *m = p->matrix;
  const struct qn_planes *planes = &m->planes[p->expert];
  const struct qn_activations *a = &p->x;
  int64_t token = p->tokens == NULL ? at : p->tokens[at];
  float *out = p->out + at * p->out_stride;
  int type = m->format.type;
  _Alignas(32) float products[STEPS][STEP][STEP];
  struct step_input inputs[STEPS];
  struct step_rest rest;
  for (int32_t r = first; r < last; r += STEP) {
    struct step_rows rows;
    step_find_rows(mode, m, planes, r, last, &rows);
    step_floats y = step_zero();
    for (int32_t start = 0; start < a->groups; start += STEPS * STEP) {
      int groups = a->groups - start < STEPS * STEP ? a->groups - start : STEPS * STEP;
      int whole = groups / STEP;
      int left = groups % STEP;
      for (int s = 0; s < whole; s++) {
        inputs[s] = step_find_input(mode, bits, group, a, token, start + s * STEP, STEP);
      }
      for (int i = 0; i < STEP; i++) {
        for (int s = 0; s < whole; s++) {
          struct step_part part =
              step_find_part(mode, bits, group, type, &rows, i, start + s * STEP, STEP, &rest);
          for (int line = 0; line < STEP * group * bits / 8; line += 64) {
            __builtin_prefetch(part.codes + STEP_AHEAD + line, 0, 2);
          }
          step_store_floats(products[s][i],
                            step_row_step(mode, bits, group, type, part, &inputs[s], STEP));
        }
      }
      for (int s = 0; s < whole; s++) {
        y = step_add_groups(products[s], inputs[s].scale, STEP, y);
      }
      if (left > 0) {
        int32_t g = start + whole * STEP;
        struct step_input input = step_find_input(mode, bits, group, a, token, g, left);
        for (int i = 0; i < STEP; i++) {
          struct step_part part = step_find_part(mode, bits, group, type, &rows, i, g, left, &rest);
          step_store_floats(products[0][i], step_row_step(mode, bits, group, type, part, &input, left));
        }
        y = step_add_groups(products[0], input.scale, left, y);
      }
    }
    step_store(m, r, last, y, out);
  }
}

/* A step of all rows, unpacked. */
struct step_tile {
  step_bytes codes[STEP][128 / 4];
  step_floats scales[STEP], biases[STEP];
};

STEP_INLINE void step_fill_tile(int mode, int bits, int group, const struct qn_matrix *m,
                                const struct step_rows *rows, int32_t g, int groups, struct step_tile *tile) {
  int vectors = step_vectors(bits);
  for (int i = 0; i < STEP; i++) {
    struct step_rest rest;
    struct step_part part = step_find_part(mode, bits, group, m->format.type, rows, i, g, groups, &rest);
    for (int block = 0; block < group / 4 / vectors; block++) {
      step_unpack(mode, bits, part.codes + block * step_block_bytes(bits), tile->codes[i] + block * vectors);
    }
    tile->scales[i] = step_scales(mode, m->format.type, part.scales);
    tile->biases[i] = mode == QN_AFFINE ? step_scales(mode, m->format.type, part.biases) : tile->scales[i];
  }
}

STEP_INLINE step_floats step_tile_step(int mode, int bits, int group, const struct step_tile *tile,
                                       const struct qn_activations *a, int64_t token, int32_t g, int groups,
                                       step_floats y) {
  int sums = step_sums(bits, group);
  int addends = step_addends(bits, group);
  _Alignas(32) float products[STEP][STEP];
  struct step_input input = step_find_input(mode, bits, group, a, token, g, groups);
  for (int i = 0; i < STEP; i++) {
    step_ints sum[STEP];
#pragma GCC unroll 8
    for (int s = 0; s < sums; s++) {
      sum[s] = s < step_sums_of(bits, group, groups)
                   ? step_dot(mode, bits, addends, tile->codes[i] + s * addends, input.q + 4 * STEP * addends * s)
                   : step_no_sum();
    }
    step_store_floats(products[i], step_scaled(mode, step_gather(sums, sum), input.excess, tile->scales[i],
                                               tile->biases[i], input.sums));
  }
  return step_add_groups(products, input.scale, groups, y);
}

/* Several tokens, STEP_TOKENS at most: each step is unpacked once for all of them. */
STEP_INLINE void step_many(int mode, int bits, int group, const struct qn_product *p, int32_t first, int32_t last,
                           int32_t start, int32_t count) {
  const struct qn_matrix *m = p->matrix;
  const struct qn_planes *planes = &m->planes[p->expert];
  const struct qn_activations *a = &p->x;
  struct step_tile tile;
  step_floats y[STEP_TOKENS];
  for (int32_t r = first; r < last; r += STEP) {
    struct step_rows rows;
    step_find_rows(mode, m, planes, r, last, &rows);
    for (int32_t i = 0; i < count; i++) {
      y[i] = step_zero();
    }
    for (int32_t g = 0; g < a->groups; g += STEP) {
      int groups = a->groups - g < STEP ? a->groups - g : STEP;
      step_fill_tile(mode, bits, group, m, &rows, g, groups, &tile);
      for (int32_t i = 0; i < count; i++) {
        int64_t token = p->tokens == NULL ? start + i : p->tokens[start + i];
        y[i] = groups == STEP ? step_tile_step(mode, bits, group, &tile, a, token, g, STEP, y[i])
                              : step_tile_step(mode, bits, group, &tile, a, token, g, groups, y[i]);
      }
    }
    for (int32_t i = 0; i < count; i++) {
      step_store(m, r, last, y[i], p->out + (start + i) * p->out_stride);
    }
  }
}

/* Rows first <= r < last for the tokens start <= i < start + count of a product. */
typedef void step_format(const struct qn_product *p, int32_t first, int32_t last, int32_t start, int32_t count);

/* A copy of all of the above for one format. */
#define STEP_FORMAT(NAME, MODE, BITS, GROUP)                                                                 \
  static void NAME(const struct qn_product *p, int32_t first, int32_t last, int32_t start, int32_t count) { \
    if (count == 1) {                                                                                        \
      step_one(MODE, BITS, GROUP, p, first, last, start);                                                    \
    } else {                                                                                                 \
      step_many(MODE, BITS, GROUP, p, first, last, start, count);                                            \
    }                                                                                                        \
  }
#define STEP_AFFINE(BITS)                               \
  STEP_FORMAT(step_affine##BITS##_32, QN_AFFINE, BITS, 32) \
  STEP_FORMAT(step_affine##BITS##_64, QN_AFFINE, BITS, 64) \
  STEP_FORMAT(step_affine##BITS##_128, QN_AFFINE, BITS, 128)

STEP_AFFINE(2)
STEP_AFFINE(3)
STEP_AFFINE(4)
STEP_AFFINE(5)
STEP_AFFINE(6)
STEP_AFFINE(8)
STEP_FORMAT(step_mxfp4, QN_MXFP4, 4, 32)
STEP_FORMAT(step_nvfp4, QN_NVFP4, 4, 16)

static step_format *step_find_format(const struct qn_format *format) {
#define STEP_GROUPS(BITS) {step_affine##BITS##_32, step_affine##BITS##_64, step_affine##BITS##_128}
  static step_format *const affine[][3] = {[2] = STEP_GROUPS(2), [3] = STEP_GROUPS(3), [4] = STEP_GROUPS(4),
                                           [5] = STEP_GROUPS(5), [6] = STEP_GROUPS(6), [8] = STEP_GROUPS(8)};
  return format->mode == QN_MXFP4   ? step_mxfp4
         : format->mode == QN_NVFP4 ? step_nvfp4
                                    : affine[format->bits][format->group / 64];
}

static void steps_multiply(const struct qn_product *p, int32_t first, int32_t last) {
  step_format *rows = step_find_format(&p->matrix->format);
  for (int32_t start = 0; start < p->count; start += STEP_TOKENS) {
    rows(p, first, last, start, p->count - start < STEP_TOKENS ? p->count - start : STEP_TOKENS);
  }
}

/* The numbers of a block in the order in which codes are unpacked: number "vectors" * lane + i to vector i. */
static void step_order_block(int vectors, int8_t *q) {
  step_bytes from[8], to[8];
  for (int i = 0; i < vectors; i++) {
    to[i] = step_load_bytes(q + 4 * STEP * i);
  }
  for (int done = 1; done < vectors; done *= 2) {
    memcpy(from, to, sizeof from);
    for (int i = 0; i < vectors / 2; i++) {
      step_even_odd(from[2 * i], from[2 * i + 1], &to[i], &to[i + vectors / 2]);
    }
  }
  for (int i = 0; i < vectors; i++) {
    step_store_bytes(q + 4 * STEP * i, to[i]);
  }
}

static void steps_quantize(const struct qn_format *format, int32_t columns, const float *x, int8_t *q, float *scale,
                           float *sum) {
  int32_t group = format->group;
  for (int32_t g = 0; g * group < columns; g++) {
    float largest = step_largest(x + g * group, group);
    if (largest >= QN_TINY && largest < INFINITY) {
      scale[g] = largest / 127;
      sum[g] = (float)step_round(x + g * group, group, 127 / largest, q + g * group);
    } else {
      scale[g] = largest < QN_TINY ? 0 : NAN;
      sum[g] = 0;
      memset(q + g * group, 0, (size_t)group);
    }
  }
  int32_t padded = qn_padded(columns);
  memset(q + columns, 0, (size_t)(padded - columns));
  int codes = step_codes(format->bits);
  if (codes > 1) {
    for (int32_t k = 0; k < padded; k += 4 * STEP * codes) {
      step_order_block(codes, q + k);
    }
  }
}
