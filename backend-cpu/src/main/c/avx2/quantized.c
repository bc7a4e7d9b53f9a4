/*
 * Products with integer activations on AVX2, with VNNI where the compiler is told so.
 *
 * A step is eight groups of eight rows. Each row's codes are unpacked as unpack.h says and
 * multiplied with q, which lies in the same order, into vectors of eight int32 lanes; neighbouring
 * lanes are added until lane g holds group g. Scales make eight f32 of them, which are transposed
 * so that a lane is a row, and added to the rows' sums group by group.
 */
#include "unpack.h"

#include <math.h>

/* Groups and rows of a step. */
#define AVX2_STEP 8
/* Tokens for which codes are unpacked once. */
#define AVX2_TOKENS 64

/* Lanes of int32 that hold one group's products. */
AVX2_INLINE int avx2_lanes(int bits, int group) { return group / (4 * avx2_vectors(bits)); }

/* A step's products of one row are first added up in so many vectors... */
AVX2_INLINE int avx2_sums(int bits, int group) {
  return avx2_lanes(bits, group) < AVX2_STEP ? avx2_lanes(bits, group) : AVX2_STEP;
}

/* ... each of this many vectors of codes. */
AVX2_INLINE int avx2_addends(int bits, int group) { return AVX2_STEP * group / 32 / avx2_sums(bits, group); }

/* What the codes u are too large by: the products are with u - excess or, without VNNI, u ^ 128. */
AVX2_INLINE int avx2_excess(int mode, int bits) {
#ifndef __AVXVNNI__
  if (bits == 8) {
    return -128;
  }
#endif
  (void)bits;
  return mode == QN_AFFINE ? 0 : AVX2_FP4_ZERO;
}

/* Products of n vectors of codes with q, added in eight int32 lanes. */
AVX2_INLINE __m256i avx2_dot(int mode, int bits, int n, const __m256i *u, const int8_t *q) {
  __m256i sum = _mm256_setzero_si256();
#ifdef __AVXVNNI__
  (void)mode;
  (void)bits;
#pragma GCC unroll 8
  for (int i = 0; i < n; i++) {
    sum = _mm256_dpbusd_avx_epi32(sum, u[i], avx2_load(q + 32 * i));
  }
#else
  /* Two products of 127 and the largest code are added in an int16, so many times. */
  int most = mode != QN_AFFINE ? 5 : bits <= 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
  __m256i pairs = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int i = 0; i < n; i++) {
    __m256i x = avx2_load(q + 32 * i);
    __m256i product;
    if (bits == 8) {
      __m256i s = _mm256_xor_si256(u[i], _mm256_set1_epi8(-128));
      product = _mm256_maddubs_epi16(_mm256_abs_epi8(s), _mm256_sign_epi8(x, s));
    } else {
      product = _mm256_maddubs_epi16(u[i], x);
    }
    pairs = i % most == 0 ? product : _mm256_add_epi16(pairs, product);
    if (i % most == most - 1 || i == n - 1) {
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
  }
#endif
  return sum;
}

/* Two vectors of four groups, of two lanes each, as one of eight. */
AVX2_INLINE __m256i avx2_halve(__m256i a, __m256i b) {
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xD8);
}

/* a b c d of the lower halves, then of the upper halves. */
AVX2_INLINE __m256i avx2_quarter(const __m256i *sums) {
  return _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
}

/* A step's sums as one lane per group. */
AVX2_INLINE __m256i avx2_gather(int count, const __m256i *sums) {
  switch (count) {
    case 1:
      return sums[0];
    case 2:
      return avx2_halve(sums[0], sums[1]);
    case 4:
      return _mm256_permutevar8x32_epi32(avx2_quarter(sums), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    default: {
      __m256i a = avx2_quarter(sums);
      __m256i b = avx2_quarter(sums + 4);
      return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
    }
  }
}

/* bias * sum + scale * D for eight groups; "excess" is that of avx2_excess times the sum. */
AVX2_INLINE __m256 avx2_scaled(int mode, __m256i dots, __m256i excess, __m256 scales, __m256 biases, __m256 sums) {
  __m256 d = _mm256_cvtepi32_ps(_mm256_sub_epi32(dots, excess));
  return mode == QN_AFFINE ? _mm256_fmadd_ps(scales, d, _mm256_mul_ps(biases, sums)) : _mm256_mul_ps(scales, d);
}

/* y += products[row][g] * scale[g], one group after the other, a lane per row. */
AVX2_INLINE __m256 avx2_add_groups(const float (*products)[AVX2_STEP], const float *scale, int groups, __m256 y) {
  __m256 columns[AVX2_STEP];
  for (int half = 0; half < 2; half++) {
    __m256 rows[4], pairs[4];
    for (int i = 0; i < 4; i++) {
      const float *at = products[i] + 4 * half;
      rows[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(at)), _mm_load_ps(at + 4 * AVX2_STEP), 1);
    }
    pairs[0] = _mm256_unpacklo_ps(rows[0], rows[1]);
    pairs[1] = _mm256_unpacklo_ps(rows[2], rows[3]);
    pairs[2] = _mm256_unpackhi_ps(rows[0], rows[1]);
    pairs[3] = _mm256_unpackhi_ps(rows[2], rows[3]);
    columns[4 * half] = _mm256_shuffle_ps(pairs[0], pairs[1], 0x44);
    columns[4 * half + 1] = _mm256_shuffle_ps(pairs[0], pairs[1], 0xEE);
    columns[4 * half + 2] = _mm256_shuffle_ps(pairs[2], pairs[3], 0x44);
    columns[4 * half + 3] = _mm256_shuffle_ps(pairs[2], pairs[3], 0xEE);
  }
#pragma GCC unroll 8
  for (int g = 0; g < AVX2_STEP && g < groups; g++) {
    y = _mm256_fmadd_ps(columns[g], _mm256_broadcast_ss(scale + g), y);
  }
  return y;
}

/* Eight rows; past the last one it is taken again. */
struct avx2_rows {
  const uint8_t *codes[AVX2_STEP], *scales[AVX2_STEP], *biases[AVX2_STEP];
};

AVX2_INLINE void avx2_find_rows(int mode, const struct qn_matrix *m, const struct qn_planes *planes, int32_t first,
                                int32_t last, struct avx2_rows *rows) {
  for (int i = 0; i < AVX2_STEP; i++) {
    int64_t r = first + i < last ? first + i : last - 1;
    rows->codes[i] = planes->codes + r * m->row_bytes;
    rows->scales[i] = planes->scales + r * m->scale_row_bytes;
    rows->biases[i] = mode == QN_AFFINE ? planes->biases + r * m->scale_row_bytes : NULL;
  }
}

/* One row's part of a step. */
struct avx2_part {
  const uint8_t *codes, *scales, *biases;
};

/* Memory for a row's last step, when it has fewer than eight groups: what is missing is zero. */
struct avx2_rest {
  _Alignas(32) uint8_t codes[AVX2_STEP * 128];
  uint8_t scales[AVX2_STEP * 4], biases[AVX2_STEP * 4];
};

/* The part that begins with group g; "groups" of it are there. */
AVX2_INLINE struct avx2_part avx2_find_part(int mode, int bits, int group, int type, const struct avx2_rows *rows,
                                            int i, int32_t g, int groups, struct avx2_rest *rest) {
  int scale_bytes = mode != QN_AFFINE ? 1 : type == QN_F32 ? 4 : 2;
  struct avx2_part part = {rows->codes[i] + (int64_t)g * group * bits / 8, rows->scales[i] + g * scale_bytes,
                           mode == QN_AFFINE ? rows->biases[i] + g * scale_bytes : NULL};
  if (groups == AVX2_STEP) {
    return part;
  }
  memset(rest, 0, sizeof *rest);
  memcpy(rest->codes, part.codes, (size_t)(groups * group * bits / 8));
  memcpy(rest->scales, part.scales, (size_t)(groups * scale_bytes));
  if (mode == QN_AFFINE) {
    memcpy(rest->biases, part.biases, (size_t)(groups * scale_bytes));
  }
  return (struct avx2_part){rest->codes, rest->scales, rest->biases};
}

/* A token's part of a step. */
struct avx2_input {
  const int8_t *q;
  const float *scale;
  __m256 sums;
  __m256i excess;
};

AVX2_INLINE struct avx2_input avx2_find_input(int mode, int bits, int group, const struct qn_activations *a,
                                              int64_t token, int32_t g, int groups) {
  static const int32_t mask[2 * AVX2_STEP] = {-1, -1, -1, -1, -1, -1, -1, -1};
  int64_t at = token * a->groups + g;
  struct avx2_input input = {.q = a->q + token * a->padded + (int64_t)g * group, .scale = a->scale + at};
  input.sums = groups == AVX2_STEP ? _mm256_loadu_ps(a->sum + at)
                                   : _mm256_maskload_ps(a->sum + at, avx2_load(mask + AVX2_STEP - groups));
  input.excess = _mm256_cvttps_epi32(_mm256_mul_ps(input.sums, _mm256_set1_ps((float)avx2_excess(mode, bits))));
  return input;
}

AVX2_INLINE void avx2_store(const struct qn_matrix *m, int32_t first, int32_t last, __m256 y, float *out) {
  _Alignas(32) float lanes[AVX2_STEP];
  _mm256_store_ps(lanes, y);
  for (int32_t r = first; r < last && r < first + AVX2_STEP; r++) {
    out[m->row_map == NULL ? r : m->row_map[r]] = lanes[r - first];
  }
}

/* How many of a step's sums belong to so many groups: q ends with the last of them. */
AVX2_INLINE int avx2_sums_of(int bits, int group, int groups) {
  int sums = avx2_sums(bits, group);
  return (groups * sums + AVX2_STEP - 1) / AVX2_STEP;
}

/* Eight groups of one row and one token. */
AVX2_INLINE __m256 avx2_row_step(int mode, int bits, int group, int type, struct avx2_part part,
                                 const struct avx2_input *input, int groups) {
  int sums = avx2_sums(bits, group);
  int addends = avx2_addends(bits, group);
  int vectors = avx2_vectors(bits);
  __m256i sum[AVX2_STEP];
#pragma GCC unroll 8
  for (int s = 0; s < sums; s++) {
    __m256i u[8];
    if (s >= avx2_sums_of(bits, group, groups)) {
      sum[s] = _mm256_setzero_si256();
      continue;
    }
#pragma GCC unroll 8
    for (int block = 0; block < addends / vectors; block++) {
      avx2_unpack(mode, bits, part.codes + (s * addends / vectors + block) * 4 * vectors * bits,
                  u + block * vectors);
    }
    sum[s] = avx2_dot(mode, bits, addends, u, input->q + 32 * addends * s);
  }
  __m256 scales = avx2_scales(mode, type, part.scales);
  __m256 biases = mode == QN_AFFINE ? avx2_scales(mode, type, part.biases) : scales;
  return avx2_scaled(mode, avx2_gather(sums, sum), input->excess, scales, biases, input->sums);
}

/* Steps of a row in one go, and how far ahead of it memory is asked for, in bytes. */
#define AVX2_STEPS 8
#define AVX2_AHEAD 4096

/*
 * One token: codes go from memory to the sums without a stop, row after row as they lie there; a
 * row's groups wait for those of the seven others.
 */
AVX2_INLINE void avx2_one(int mode, int bits, int group, const struct qn_matrix *m, const struct qn_planes *planes,
                          int32_t first, int32_t last, const struct qn_activations *a, int64_t token, float *out) {
  int type = m->format.type;
  _Alignas(32) float products[AVX2_STEPS][AVX2_STEP][AVX2_STEP];
  struct avx2_input inputs[AVX2_STEPS];
  struct avx2_rest rest;
  for (int32_t r = first; r < last; r += AVX2_STEP) {
    struct avx2_rows rows;
    avx2_find_rows(mode, m, planes, r, last, &rows);
    __m256 y = _mm256_setzero_ps();
    for (int32_t start = 0; start < a->groups; start += AVX2_STEPS * AVX2_STEP) {
      int groups = a->groups - start < AVX2_STEPS * AVX2_STEP ? a->groups - start : AVX2_STEPS * AVX2_STEP;
      int whole = groups / AVX2_STEP;
      int left = groups % AVX2_STEP;
      for (int s = 0; s < whole; s++) {
        inputs[s] = avx2_find_input(mode, bits, group, a, token, start + s * AVX2_STEP, AVX2_STEP);
      }
      for (int i = 0; i < AVX2_STEP; i++) {
        for (int s = 0; s < whole; s++) {
          struct avx2_part part =
              avx2_find_part(mode, bits, group, type, &rows, i, start + s * AVX2_STEP, AVX2_STEP, &rest);
          for (int line = 0; line < group * bits; line += 64) {
            __builtin_prefetch(part.codes + AVX2_AHEAD + line, 0, 2);
          }
          _mm256_store_ps(products[s][i],
                          avx2_row_step(mode, bits, group, type, part, &inputs[s], AVX2_STEP));
        }
      }
      for (int s = 0; s < whole; s++) {
        y = avx2_add_groups(products[s], inputs[s].scale, AVX2_STEP, y);
      }
      if (left > 0) {
        int32_t g = start + whole * AVX2_STEP;
        struct avx2_input input = avx2_find_input(mode, bits, group, a, token, g, left);
        for (int i = 0; i < AVX2_STEP; i++) {
          struct avx2_part part = avx2_find_part(mode, bits, group, type, &rows, i, g, left, &rest);
          _mm256_store_ps(products[0][i], avx2_row_step(mode, bits, group, type, part, &input, left));
        }
        y = avx2_add_groups(products[0], input.scale, left, y);
      }
    }
    avx2_store(m, r, last, y, out);
  }
}

/* A step of eight rows, unpacked. */
struct avx2_tile {
  __m256i codes[AVX2_STEP][AVX2_STEP * 128 / 32];
  __m256 scales[AVX2_STEP], biases[AVX2_STEP];
};

AVX2_INLINE void avx2_fill_tile(int mode, int bits, int group, const struct qn_matrix *m,
                                const struct avx2_rows *rows, int32_t g, int groups, struct avx2_tile *tile) {
  int vectors = avx2_vectors(bits);
  for (int i = 0; i < AVX2_STEP; i++) {
    struct avx2_rest rest;
    struct avx2_part part = avx2_find_part(mode, bits, group, m->format.type, rows, i, g, groups, &rest);
    for (int block = 0; block < AVX2_STEP * group / 32 / vectors; block++) {
      avx2_unpack(mode, bits, part.codes + block * 4 * vectors * bits, tile->codes[i] + block * vectors);
    }
    tile->scales[i] = avx2_scales(mode, m->format.type, part.scales);
    tile->biases[i] = mode == QN_AFFINE ? avx2_scales(mode, m->format.type, part.biases) : tile->scales[i];
  }
}

AVX2_INLINE __m256 avx2_tile_step(int mode, int bits, int group, const struct avx2_tile *tile,
                                  const struct qn_activations *a, int64_t token, int32_t g, int groups, __m256 y) {
  int sums = avx2_sums(bits, group);
  int addends = avx2_addends(bits, group);
  _Alignas(32) float products[AVX2_STEP][AVX2_STEP];
  struct avx2_input input = avx2_find_input(mode, bits, group, a, token, g, groups);
  for (int i = 0; i < AVX2_STEP; i++) {
    __m256i sum[AVX2_STEP];
#pragma GCC unroll 8
    for (int s = 0; s < sums; s++) {
      sum[s] = s < avx2_sums_of(bits, group, groups)
                   ? avx2_dot(mode, bits, addends, tile->codes[i] + s * addends, input.q + 32 * addends * s)
                   : _mm256_setzero_si256();
    }
    _mm256_store_ps(products[i], avx2_scaled(mode, avx2_gather(sums, sum), input.excess, tile->scales[i],
                                             tile->biases[i], input.sums));
  }
  return avx2_add_groups(products, input.scale, groups, y);
}

/* Several tokens, AVX2_TOKENS at most: each step is unpacked once for all of them. */
AVX2_INLINE void avx2_many(int mode, int bits, int group, const struct qn_matrix *m, const struct qn_planes *planes,
                           int32_t first, int32_t last, const struct qn_activations *a, const int32_t *tokens,
                           int32_t start, int32_t count, float *out, int64_t out_stride, const int32_t *out_rows) {
  struct avx2_tile tile;
  __m256 y[AVX2_TOKENS];
  for (int32_t r = first; r < last; r += AVX2_STEP) {
    struct avx2_rows rows;
    avx2_find_rows(mode, m, planes, r, last, &rows);
    for (int32_t i = 0; i < count; i++) {
      y[i] = _mm256_setzero_ps();
    }
    for (int32_t g = 0; g < a->groups; g += AVX2_STEP) {
      int groups = a->groups - g < AVX2_STEP ? a->groups - g : AVX2_STEP;
      avx2_fill_tile(mode, bits, group, m, &rows, g, groups, &tile);
      for (int32_t i = 0; i < count; i++) {
        int64_t token = tokens == NULL ? start + i : tokens[start + i];
        y[i] = groups == AVX2_STEP ? avx2_tile_step(mode, bits, group, &tile, a, token, g, AVX2_STEP, y[i])
                                   : avx2_tile_step(mode, bits, group, &tile, a, token, g, groups, y[i]);
      }
    }
    for (int32_t i = 0; i < count; i++) {
      avx2_store(m, r, last, y[i], out + (out_rows == NULL ? start + i : out_rows[start + i]) * out_stride);
    }
  }
}

typedef void avx2_format(const struct qn_matrix *m, const struct qn_planes *planes, int32_t first, int32_t last,
                         const struct qn_activations *a, const int32_t *tokens, int32_t start, int32_t count,
                         float *out, int64_t out_stride, const int32_t *out_rows);

/* A copy of all of the above for one format. */
#define AVX2_FORMAT(NAME, MODE, BITS, GROUP)                                                                       \
  static void NAME(const struct qn_matrix *m, const struct qn_planes *planes, int32_t first, int32_t last,         \
                   const struct qn_activations *a, const int32_t *tokens, int32_t start, int32_t count,            \
                   float *out, int64_t out_stride, const int32_t *out_rows) {                                      \
    if (count == 1) {                                                                                              \
      avx2_one(MODE, BITS, GROUP, m, planes, first, last, a, tokens == NULL ? start : tokens[start],               \
               out + (out_rows == NULL ? start : out_rows[start]) * out_stride);                                   \
    } else {                                                                                                       \
      avx2_many(MODE, BITS, GROUP, m, planes, first, last, a, tokens, start, count, out, out_stride, out_rows);    \
    }                                                                                                              \
  }
#define AVX2_AFFINE(BITS)                               \
  AVX2_FORMAT(avx2_affine##BITS##_32, QN_AFFINE, BITS, 32) \
  AVX2_FORMAT(avx2_affine##BITS##_64, QN_AFFINE, BITS, 64) \
  AVX2_FORMAT(avx2_affine##BITS##_128, QN_AFFINE, BITS, 128)

AVX2_AFFINE(2)
AVX2_AFFINE(3)
AVX2_AFFINE(4)
AVX2_AFFINE(5)
AVX2_AFFINE(6)
AVX2_AFFINE(8)
AVX2_FORMAT(avx2_mxfp4, QN_MXFP4, 4, 32)
AVX2_FORMAT(avx2_nvfp4, QN_NVFP4, 4, 16)

static avx2_format *avx2_find_format(const struct qn_format *format) {
#define AVX2_GROUPS(BITS) {avx2_affine##BITS##_32, avx2_affine##BITS##_64, avx2_affine##BITS##_128}
  static avx2_format *const affine[][3] = {[2] = AVX2_GROUPS(2), [3] = AVX2_GROUPS(3), [4] = AVX2_GROUPS(4),
                                           [5] = AVX2_GROUPS(5), [6] = AVX2_GROUPS(6), [8] = AVX2_GROUPS(8)};
  return format->mode == QN_MXFP4   ? avx2_mxfp4
         : format->mode == QN_NVFP4 ? avx2_nvfp4
                                    : affine[format->bits][format->group / 64];
}

static void avx2_multiply(const struct qn_matrix *m, int32_t expert, int32_t first, int32_t last,
                          const struct qn_activations *a, const int32_t *tokens, int32_t count, float *out,
                          int64_t out_stride, const int32_t *out_rows) {
  avx2_format *rows = avx2_find_format(&m->format);
  for (int32_t start = 0; start < count; start += AVX2_TOKENS) {
    int32_t n = count - start < AVX2_TOKENS ? count - start : AVX2_TOKENS;
    rows(m, &m->planes[expert], first, last, a, tokens, start, n, out, out_stride, out_rows);
  }
}

/* Two vectors as their bytes with even and with odd numbers. */
static void avx2_even_odd(__m256i a, __m256i b, __m256i *even, __m256i *odd) {
  __m256i low = _mm256_set1_epi16(0x00FF);
  *even = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
  *odd = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
  *even = _mm256_permute4x64_epi64(*even, 0xD8);
  *odd = _mm256_permute4x64_epi64(*odd, 0xD8);
}

/* The numbers of a block in the order of unpack.h: number "vectors" * lane + i to vector i. */
static void avx2_order_block(int vectors, int8_t *q) {
  __m256i from[8], to[8];
  for (int i = 0; i < vectors; i++) {
    to[i] = avx2_load(q + 32 * i);
  }
  for (int done = 1; done < vectors; done *= 2) {
    memcpy(from, to, sizeof from);
    for (int i = 0; i < vectors / 2; i++) {
      avx2_even_odd(from[2 * i], from[2 * i + 1], &to[i], &to[i + vectors / 2]);
    }
  }
  for (int i = 0; i < vectors; i++) {
    _mm256_storeu_si256((__m256i *)(q + 32 * i), to[i]);
  }
}

/* The largest |x|'s bits; NaN or infinity if there is one. */
static int32_t avx2_largest(const float *x, int32_t n) {
  __m256i largest = _mm256_setzero_si256();
  for (int32_t i = 0; i < n; i += 8) {
    largest = _mm256_max_epi32(largest, _mm256_and_si256(avx2_load(x + i), _mm256_set1_epi32(0x7FFFFFFF)));
  }
  __m128i four = _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}

/* Rounds one group's numbers, in their order; returns their sum. */
static int32_t avx2_round(const float *x, int32_t n, float inverse, int8_t *q) {
  __m256i sum = _mm256_setzero_si256();
  for (int32_t i = 0; i < n; i += 16) {
    __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(inverse)));
    __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8), _mm256_set1_ps(inverse)));
    sum = _mm256_add_epi32(sum, _mm256_add_epi32(a, b));
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(q + i), bytes);
  }
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}

static void avx2_quantize(const struct qn_format *format, int32_t columns, const float *x, int8_t *q, float *scale,
                          float *sum) {
  int32_t group = format->group;
  for (int32_t g = 0; g * group < columns; g++) {
    float largest = qn_from_bits((uint32_t)avx2_largest(x + g * group, group));
    if (largest >= QN_TINY && largest < INFINITY) {
      scale[g] = largest / 127;
      sum[g] = (float)avx2_round(x + g * group, group, 127 / largest, q + g * group);
    } else {
      scale[g] = largest < QN_TINY ? 0 : NAN;
      sum[g] = 0;
      memset(q + g * group, 0, (size_t)group);
    }
  }
  int32_t padded = qn_padded(columns);
  memset(q + columns, 0, (size_t)(padded - columns));
  int vectors = avx2_vectors(format->bits);
  if (vectors > 1) {
    for (int32_t k = 0; k < padded; k += 32 * vectors) {
      avx2_order_block(vectors, q + k);
    }
  }
}
