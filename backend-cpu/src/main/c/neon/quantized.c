/*
 * Products with integer activations on NEON with dot products.
 *
 * A step is four groups of four rows. Each row's codes are unpacked as unpack.h says and multiplied
 * with q, which lies in the same order, into vectors of four int32 lanes; neighbouring lanes are
 * added until lane g holds group g. Scales make four f32 of them, which are transposed so that a
 * lane is a row, and added to the rows' sums group by group.
 */
#include "unpack.h"

#include <math.h>

/* Groups and rows of a step. */
#define NEON_STEP 4
/* Tokens for which codes are unpacked once. */
#define NEON_TOKENS 64

/* Lanes of int32 that hold one group's products. */
NEON_INLINE int neon_lanes(int bits, int group) { return group / (4 * neon_codes(bits)); }

/* A step's products of one row are first added up in so many vectors... */
NEON_INLINE int neon_sums(int bits, int group) {
  return neon_lanes(bits, group) < NEON_STEP ? neon_lanes(bits, group) : NEON_STEP;
}

/* ... each of this many vectors of codes. */
NEON_INLINE int neon_addends(int bits, int group) { return NEON_STEP * group / 16 / neon_sums(bits, group); }

/* Products of n vectors of codes with q, added in four int32 lanes. */
NEON_INLINE int32x4_t neon_dot(int n, const int8x16_t *u, const int8_t *q) {
  int32x4_t sum = vdupq_n_s32(0);
#pragma GCC unroll 8
  for (int i = 0; i < n; i++) {
    sum = vdotq_s32(sum, u[i], vld1q_s8(q + 16 * i));
  }
  return sum;
}

/* A step's sums as one lane per group. */
NEON_INLINE int32x4_t neon_gather(int count, const int32x4_t *sums) {
  switch (count) {
    case 1:
      return sums[0];
    case 2:
      return vpaddq_s32(sums[0], sums[1]);
    default:
      return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
  }
}

/* bias * sum + scale * D for four groups; "missing" is what codes less 128 lack. */
NEON_INLINE float32x4_t neon_scaled(int mode, int32x4_t dots, int32x4_t missing, float32x4_t scales,
                                    float32x4_t biases, float32x4_t sums) {
  float32x4_t d = vcvtq_f32_s32(vaddq_s32(dots, missing));
  return mode == QN_AFFINE ? vfmaq_f32(vmulq_f32(biases, sums), scales, d) : vmulq_f32(scales, d);
}

/* y += products[row][g] * scale[g], one group after the other, a lane per row. */
NEON_INLINE float32x4_t neon_add_groups(const float (*products)[NEON_STEP], const float *scale, int groups,
                                        float32x4_t y) {
  float32x4x4_t columns = vld4q_f32(products[0]);
#pragma GCC unroll 4
  for (int g = 0; g < NEON_STEP && g < groups; g++) {
    y = vfmaq_f32(y, columns.val[g], vdupq_n_f32(scale[g]));
  }
  return y;
}

/* Four rows; past the last one it is taken again. */
struct neon_rows {
  const uint8_t *codes[NEON_STEP], *scales[NEON_STEP], *biases[NEON_STEP];
};

NEON_INLINE void neon_find_rows(int mode, const struct qn_matrix *m, const struct qn_planes *planes, int32_t first,
                                int32_t last, struct neon_rows *rows) {
  for (int i = 0; i < NEON_STEP; i++) {
    int64_t r = first + i < last ? first + i : last - 1;
    rows->codes[i] = planes->codes + r * m->row_bytes;
    rows->scales[i] = planes->scales + r * m->scale_row_bytes;
    rows->biases[i] = mode == QN_AFFINE ? planes->biases + r * m->scale_row_bytes : NULL;
  }
}

/* One row's part of a step. */
struct neon_part {
  const uint8_t *codes, *scales, *biases;
};

/* Memory for a row's last step, when it has fewer than four groups: what is missing is zero. */
struct neon_rest {
  uint8_t codes[NEON_STEP * 128];
  uint8_t scales[NEON_STEP * 4], biases[NEON_STEP * 4];
};

/* The part that begins with group g; "groups" of it are there. */
NEON_INLINE struct neon_part neon_find_part(int mode, int bits, int group, int type, const struct neon_rows *rows,
                                            int i, int32_t g, int groups, struct neon_rest *rest) {
  int scale_bytes = mode != QN_AFFINE ? 1 : type == QN_F32 ? 4 : 2;
  struct neon_part part = {rows->codes[i] + (int64_t)g * group * bits / 8, rows->scales[i] + g * scale_bytes,
                           mode == QN_AFFINE ? rows->biases[i] + g * scale_bytes : NULL};
  if (groups == NEON_STEP) {
    return part;
  }
  memset(rest, 0, sizeof *rest);
  memcpy(rest->codes, part.codes, (size_t)(groups * group * bits / 8));
  memcpy(rest->scales, part.scales, (size_t)(groups * scale_bytes));
  if (mode == QN_AFFINE) {
    memcpy(rest->biases, part.biases, (size_t)(groups * scale_bytes));
  }
  return (struct neon_part){rest->codes, rest->scales, rest->biases};
}

/* A token's part of a step. */
struct neon_input {
  const int8_t *q;
  const float *scale;
  float32x4_t sums;
  int32x4_t missing;
};

NEON_INLINE struct neon_input neon_find_input(int bits, int group, const struct qn_activations *a, int64_t token,
                                              int32_t g, int groups) {
  int64_t at = token * a->groups + g;
  float sums[NEON_STEP] = {0};
  memcpy(sums, a->sum + at, (size_t)groups * sizeof *sums);
  struct neon_input input = {.q = a->q + token * a->padded + (int64_t)g * group,
                             .scale = a->scale + at,
                             .sums = vld1q_f32(sums)};
  input.missing = bits == 8 ? vshlq_n_s32(vcvtq_s32_f32(input.sums), 7) : vdupq_n_s32(0);
  return input;
}

NEON_INLINE void neon_store(const struct qn_matrix *m, int32_t first, int32_t last, float32x4_t y, float *out) {
  float lanes[NEON_STEP];
  vst1q_f32(lanes, y);
  for (int32_t r = first; r < last && r < first + NEON_STEP; r++) {
    out[m->row_map == NULL ? r : m->row_map[r]] = lanes[r - first];
  }
}

/* How many of a step's sums belong to so many groups: q ends with the last of them. */
NEON_INLINE int neon_sums_of(int bits, int group, int groups) {
  int sums = neon_sums(bits, group);
  return (groups * sums + NEON_STEP - 1) / NEON_STEP;
}

/* Four groups of one row and one token. */
NEON_INLINE float32x4_t neon_row_step(int mode, int bits, int group, int type, struct neon_part part,
                                 const struct neon_input *input, int groups) {
  int sums = neon_sums(bits, group);
  int addends = neon_addends(bits, group);
  int vectors = neon_vectors(bits);
  int32x4_t sum[NEON_STEP];
#pragma GCC unroll 8
  for (int s = 0; s < sums; s++) {
    int8x16_t u[8];
    if (s >= neon_sums_of(bits, group, groups)) {
      sum[s] = vdupq_n_s32(0);
      continue;
    }
#pragma GCC unroll 8
    for (int block = 0; block < addends / vectors; block++) {
      neon_unpack(mode, bits, part.codes + (s * addends / vectors + block) * neon_block_bytes(bits),
                  u + block * vectors);
    }
    sum[s] = neon_dot(addends, u, input->q + 16 * addends * s);
  }
  float32x4_t scales = neon_scales(mode, type, part.scales);
  float32x4_t biases = mode == QN_AFFINE ? neon_scales(mode, type, part.biases) : scales;
  return neon_scaled(mode, neon_gather(sums, sum), input->missing, scales, biases, input->sums);
}

/* Steps of a row in one go, and how far ahead of it memory is asked for, in bytes. */
#define NEON_STEPS 16
#define NEON_AHEAD 4096

/*
 * One token: codes go from memory to the sums without a stop, row after row as they lie there; a
 * row's groups wait for those of the three others.
 */
NEON_INLINE void neon_one(int mode, int bits, int group, const struct qn_matrix *m, const struct qn_planes *planes,
                          int32_t first, int32_t last, const struct qn_activations *a, int64_t token, float *out) {
  int type = m->format.type;
  float products[NEON_STEPS][NEON_STEP][NEON_STEP];
  struct neon_input inputs[NEON_STEPS];
  struct neon_rest rest;
  for (int32_t r = first; r < last; r += NEON_STEP) {
    struct neon_rows rows;
    neon_find_rows(mode, m, planes, r, last, &rows);
    float32x4_t y = vdupq_n_f32(0);
    for (int32_t start = 0; start < a->groups; start += NEON_STEPS * NEON_STEP) {
      int groups = a->groups - start < NEON_STEPS * NEON_STEP ? a->groups - start : NEON_STEPS * NEON_STEP;
      int whole = groups / NEON_STEP;
      int left = groups % NEON_STEP;
      for (int s = 0; s < whole; s++) {
        inputs[s] = neon_find_input(bits, group, a, token, start + s * NEON_STEP, NEON_STEP);
      }
      for (int i = 0; i < NEON_STEP; i++) {
        for (int s = 0; s < whole; s++) {
          struct neon_part part =
              neon_find_part(mode, bits, group, type, &rows, i, start + s * NEON_STEP, NEON_STEP, &rest);
          for (int line = 0; line < NEON_STEP * group * bits / 8; line += 64) {
            __builtin_prefetch(part.codes + NEON_AHEAD + line, 0, 2);
          }
          vst1q_f32(products[s][i],
                          neon_row_step(mode, bits, group, type, part, &inputs[s], NEON_STEP));
        }
      }
      for (int s = 0; s < whole; s++) {
        y = neon_add_groups(products[s], inputs[s].scale, NEON_STEP, y);
      }
      if (left > 0) {
        int32_t g = start + whole * NEON_STEP;
        struct neon_input input = neon_find_input(bits, group, a, token, g, left);
        for (int i = 0; i < NEON_STEP; i++) {
          struct neon_part part = neon_find_part(mode, bits, group, type, &rows, i, g, left, &rest);
          vst1q_f32(products[0][i], neon_row_step(mode, bits, group, type, part, &input, left));
        }
        y = neon_add_groups(products[0], input.scale, left, y);
      }
    }
    neon_store(m, r, last, y, out);
  }
}

/* A step of four rows, unpacked. */
struct neon_tile {
  int8x16_t codes[NEON_STEP][NEON_STEP * 128 / 16];
  float32x4_t scales[NEON_STEP], biases[NEON_STEP];
};

NEON_INLINE void neon_fill_tile(int mode, int bits, int group, const struct qn_matrix *m,
                                const struct neon_rows *rows, int32_t g, int groups, struct neon_tile *tile) {
  int vectors = neon_vectors(bits);
  for (int i = 0; i < NEON_STEP; i++) {
    struct neon_rest rest;
    struct neon_part part = neon_find_part(mode, bits, group, m->format.type, rows, i, g, groups, &rest);
    for (int block = 0; block < NEON_STEP * group / 16 / vectors; block++) {
      neon_unpack(mode, bits, part.codes + block * neon_block_bytes(bits), tile->codes[i] + block * vectors);
    }
    tile->scales[i] = neon_scales(mode, m->format.type, part.scales);
    tile->biases[i] = mode == QN_AFFINE ? neon_scales(mode, m->format.type, part.biases) : tile->scales[i];
  }
}

NEON_INLINE float32x4_t neon_tile_step(int mode, int bits, int group, const struct neon_tile *tile,
                                  const struct qn_activations *a, int64_t token, int32_t g, int groups, float32x4_t y) {
  int sums = neon_sums(bits, group);
  int addends = neon_addends(bits, group);
  float products[NEON_STEP][NEON_STEP];
  struct neon_input input = neon_find_input(bits, group, a, token, g, groups);
  for (int i = 0; i < NEON_STEP; i++) {
    int32x4_t sum[NEON_STEP];
#pragma GCC unroll 8
    for (int s = 0; s < sums; s++) {
      sum[s] = s < neon_sums_of(bits, group, groups)
                   ? neon_dot(addends, tile->codes[i] + s * addends, input.q + 16 * addends * s)
                   : vdupq_n_s32(0);
    }
    vst1q_f32(products[i], neon_scaled(mode, neon_gather(sums, sum), input.missing, tile->scales[i],
                                             tile->biases[i], input.sums));
  }
  return neon_add_groups(products, input.scale, groups, y);
}

/* Several tokens, NEON_TOKENS at most: each step is unpacked once for all of them. */
NEON_INLINE void neon_many(int mode, int bits, int group, const struct qn_matrix *m, const struct qn_planes *planes,
                           int32_t first, int32_t last, const struct qn_activations *a, const int32_t *tokens,
                           int32_t start, int32_t count, float *out, int64_t out_stride, const int32_t *out_rows) {
  struct neon_tile tile;
  float32x4_t y[NEON_TOKENS];
  for (int32_t r = first; r < last; r += NEON_STEP) {
    struct neon_rows rows;
    neon_find_rows(mode, m, planes, r, last, &rows);
    for (int32_t i = 0; i < count; i++) {
      y[i] = vdupq_n_f32(0);
    }
    for (int32_t g = 0; g < a->groups; g += NEON_STEP) {
      int groups = a->groups - g < NEON_STEP ? a->groups - g : NEON_STEP;
      neon_fill_tile(mode, bits, group, m, &rows, g, groups, &tile);
      for (int32_t i = 0; i < count; i++) {
        int64_t token = tokens == NULL ? start + i : tokens[start + i];
        y[i] = groups == NEON_STEP ? neon_tile_step(mode, bits, group, &tile, a, token, g, NEON_STEP, y[i])
                                   : neon_tile_step(mode, bits, group, &tile, a, token, g, groups, y[i]);
      }
    }
    for (int32_t i = 0; i < count; i++) {
      neon_store(m, r, last, y[i], out + (out_rows == NULL ? start + i : out_rows[start + i]) * out_stride);
    }
  }
}

typedef void neon_format(const struct qn_matrix *m, const struct qn_planes *planes, int32_t first, int32_t last,
                         const struct qn_activations *a, const int32_t *tokens, int32_t start, int32_t count,
                         float *out, int64_t out_stride, const int32_t *out_rows);

/* A copy of all of the above for one format. */
#define NEON_FORMAT(NAME, MODE, BITS, GROUP)                                                                       \
  static void NAME(const struct qn_matrix *m, const struct qn_planes *planes, int32_t first, int32_t last,         \
                   const struct qn_activations *a, const int32_t *tokens, int32_t start, int32_t count,            \
                   float *out, int64_t out_stride, const int32_t *out_rows) {                                      \
    if (count == 1) {                                                                                              \
      neon_one(MODE, BITS, GROUP, m, planes, first, last, a, tokens == NULL ? start : tokens[start],               \
               out + (out_rows == NULL ? start : out_rows[start]) * out_stride);                                   \
    } else {                                                                                                       \
      neon_many(MODE, BITS, GROUP, m, planes, first, last, a, tokens, start, count, out, out_stride, out_rows);    \
    }                                                                                                              \
  }
#define NEON_AFFINE(BITS)                               \
  NEON_FORMAT(neon_affine##BITS##_32, QN_AFFINE, BITS, 32) \
  NEON_FORMAT(neon_affine##BITS##_64, QN_AFFINE, BITS, 64) \
  NEON_FORMAT(neon_affine##BITS##_128, QN_AFFINE, BITS, 128)

NEON_AFFINE(2)
NEON_AFFINE(3)
NEON_AFFINE(4)
NEON_AFFINE(5)
NEON_AFFINE(6)
NEON_AFFINE(8)
NEON_FORMAT(neon_mxfp4, QN_MXFP4, 4, 32)
NEON_FORMAT(neon_nvfp4, QN_NVFP4, 4, 16)

static neon_format *neon_find_format(const struct qn_format *format) {
#define NEON_GROUPS(BITS) {neon_affine##BITS##_32, neon_affine##BITS##_64, neon_affine##BITS##_128}
  static neon_format *const affine[][3] = {[2] = NEON_GROUPS(2), [3] = NEON_GROUPS(3), [4] = NEON_GROUPS(4),
                                           [5] = NEON_GROUPS(5), [6] = NEON_GROUPS(6), [8] = NEON_GROUPS(8)};
  return format->mode == QN_MXFP4   ? neon_mxfp4
         : format->mode == QN_NVFP4 ? neon_nvfp4
                                    : affine[format->bits][format->group / 64];
}

static void neon_multiply(const struct qn_matrix *m, int32_t expert, int32_t first, int32_t last,
                          const struct qn_activations *a, const int32_t *tokens, int32_t count, float *out,
                          int64_t out_stride, const int32_t *out_rows) {
  neon_format *rows = neon_find_format(&m->format);
  for (int32_t start = 0; start < count; start += NEON_TOKENS) {
    int32_t n = count - start < NEON_TOKENS ? count - start : NEON_TOKENS;
    rows(m, &m->planes[expert], first, last, a, tokens, start, n, out, out_stride, out_rows);
  }
}

/* The numbers of a block in the order of unpack.h: number "vectors" * lane + i to vector i. */
static void neon_order_block(int vectors, int8_t *q) {
  int8x16_t from[8], to[8];
  for (int i = 0; i < vectors; i++) {
    to[i] = vld1q_s8(q + 16 * i);
  }
  for (int done = 1; done < vectors; done *= 2) {
    memcpy(from, to, sizeof from);
    for (int i = 0; i < vectors / 2; i++) {
      to[i] = vuzp1q_s8(from[2 * i], from[2 * i + 1]);
      to[i + vectors / 2] = vuzp2q_s8(from[2 * i], from[2 * i + 1]);
    }
  }
  for (int i = 0; i < vectors; i++) {
    vst1q_s8(q + 16 * i, to[i]);
  }
}

/* The largest |x|; NaN or infinity if there is one. */
static float neon_largest(const float *x, int32_t n) {
  uint32x4_t largest = vdupq_n_u32(0);
  for (int32_t i = 0; i < n; i += 4) {
    largest = vmaxq_u32(largest, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), vdupq_n_u32(0x7FFFFFFF)));
  }
  return qn_from_bits(vmaxvq_u32(largest));
}

/* Rounds one group's numbers, in their order; returns their sum. */
static int32_t neon_round(const float *x, int32_t n, float inverse, int8_t *q) {
  int32x4_t sum = vdupq_n_s32(0);
  for (int32_t i = 0; i < n; i += 8) {
    int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), inverse));
    int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), inverse));
    sum = vaddq_s32(sum, vaddq_s32(a, b));
    vst1_s8(q + i, vmovn_s16(vcombine_s16(vmovn_s32(a), vmovn_s32(b))));
  }
  return vaddvq_s32(sum);
}

static void neon_quantize(const struct qn_format *format, int32_t columns, const float *x, int8_t *q, float *scale,
                          float *sum) {
  int32_t group = format->group;
  for (int32_t g = 0; g * group < columns; g++) {
    float largest = neon_largest(x + g * group, group);
    if (largest >= QN_TINY && largest < INFINITY) {
      scale[g] = largest / 127;
      sum[g] = (float)neon_round(x + g * group, group, 127 / largest, q + g * group);
    } else {
      scale[g] = largest < QN_TINY ? 0 : NAN;
      sum[g] = 0;
      memset(q + g * group, 0, (size_t)group);
    }
  }
  int32_t padded = qn_padded(columns);
  memset(q + columns, 0, (size_t)(padded - columns));
  int codes = neon_codes(format->bits);
  if (codes > 1) {
    for (int32_t k = 0; k < padded; k += 16 * codes) {
      neon_order_block(codes, q + k);
    }
  }
}
