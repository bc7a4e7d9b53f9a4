/*
 * The arithmetic of one thread, as a table of functions: one table per instruction set, all with
 * the same results to the last bit. Who calls them, and on which threads, is in linear.c,
 * experts.c, attention.c, delta.c and elements.c.
 *
 * Why the bits are equal. Sums of integers are exact in any order, so each instruction set unpacks
 * and multiplies as suits it. Sums of f32 have one order, given here, made of fused
 * multiply-additions. Nothing depends on how many tokens a call has or where its rows start, so
 * neither do the bits: a row's result is the same in a prefill of 2,048 tokens and in decoding.
 */
#ifndef QNEXT_KERNELS_H
#define QNEXT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* How a matrix is stored; the numbers are those of dev.qnext.cpu.CpuMatrix. */
enum qn_mode { QN_PLAIN, QN_AFFINE, QN_MXFP4, QN_MXFP8, QN_NVFP4 };

/* The type of plain numbers, and of affine scales and biases. */
enum qn_type { QN_F32, QN_F16, QN_BF16 };

struct qn_format {
  int32_t mode;
  int32_t bits;
  int32_t group; /* weights per scale */
  int32_t type;  /* of plain numbers, or of affine scales and biases */
};

/* One expert's bytes, at any address. Rows are row_bytes and scale_row_bytes apart. */
struct qn_planes {
  const uint8_t *codes;  /* one little-endian bit stream per row, of 32-bit words */
  const uint8_t *scales; /* NULL for plain */
  const uint8_t *biases; /* NULL for all but affine */
};

/* Stacked matrices [experts, rows, columns]; one matrix is a stack of one. */
struct qn_matrix {
  struct qn_format format;
  int32_t experts;
  int32_t rows;
  int32_t columns; /* a multiple of format.group; plain: any number */
  int64_t row_bytes;
  int64_t scale_row_bytes;
  const int32_t *row_map; /* stored row -> bound row; NULL where they are the same */
  const struct qn_planes *planes; /* [experts] */
};

/* What dev.qnext.cpu.CpuMatrix writes. */
_Static_assert(offsetof(struct qn_matrix, row_bytes) == 32 && sizeof(struct qn_matrix) == 64, "qn_matrix");
_Static_assert(sizeof(struct qn_planes) == 24, "qn_planes");

/*
 * Activations as the integer formats take them. Per token and group of the format:
 *
 *   scale = largest |x| / 127, q = x * (127 / largest) rounded to nearest even, sum = q's sum.
 *
 * A group with a NaN or an infinity has the scale NaN and zeros; one whose largest is below 1e-30
 * has the scale 0 and zeros. The order of q within a row is the instruction set's own; it has
 * "padded" bytes, those past the columns being zero.
 *
 * Plain and MXFP8 matrices take x itself: q, scale and sum are NULL then.
 */
struct qn_activations {
  int32_t columns;
  int32_t padded;
  int32_t groups;
  const float *x; /* [tokens, columns] */
  int8_t *q;      /* [tokens, padded], 64-byte aligned */
  float *scale;   /* [tokens, groups] */
  float *sum;     /* [tokens, groups], whole numbers */
};

/* The rows of "all" from a given one on. */
static inline struct qn_activations qn_from_row(const struct qn_activations *all, int64_t row) {
  struct qn_activations some = *all;
  some.x += row * some.columns;
  if (some.q != NULL) {
    some.q += row * some.padded;
    some.scale += row * some.groups;
    some.sum += row * some.groups;
  }
  return some;
}

/* q's row length: every format's largest block divides it. */
#define QN_PAD 512
static inline int32_t qn_padded(int32_t columns) {
  return (columns + QN_PAD - 1) / QN_PAD * QN_PAD;
}

static inline int qn_takes_integers(const struct qn_format *f) {
  return f->mode == QN_AFFINE || f->mode == QN_MXFP4 || f->mode == QN_NVFP4;
}

/*
 * One expert's matrix times some tokens:
 *
 *   out[i * out_stride + (row_map ? row_map[r] : r)] = x[tokens ? tokens[i] : i] . W[expert][r]
 */
struct qn_product {
  const struct qn_matrix *matrix;
  int32_t expert;
  int32_t count; /* of tokens */
  struct qn_activations x;
  const int32_t *tokens; /* [count], rows of x; NULL for all in order */
  float *out;
  int64_t out_stride;
  /* What the thread is likely to read behind the matrix's last row; NULL if nobody knows. */
  const struct qn_planes *next;
};

struct qn_kernels {
  const char *name;

  /*
   * Quantizes one token's x [columns] for a matrix of this format (one that takes integers):
   * q [padded], scale and sum [columns / group].
   */
  void (*quantize)(const struct qn_format *format, int32_t columns, const float *x, int8_t *q,
                   float *scale, float *sum);

  /*
   * Rows first <= r < last of a product; first is a multiple of 16. Memory is asked for ahead as if
   * the same thread went on with the following rows.
   *
   * Integer formats, with code u (affine), or twice the E2M1 number as u (fp4, halved in its
   * scale): per group g in order, D = sum of u q exactly, and
   *
   *   m = bias[g] * sum[g]; m = fma(scale_w[g], D, m)     fp4: m = scale_w[g] * D
   *   y = fma(m, scale_x[g], y)
   *
   * Plain and MXFP8: lane l of 16 sums the columns k = l (mod 16) in order,
   * y[l] = fma(w[k], x[k], y[l]), and lanes are added pairwise: l and l + 8, then 4, 2, 1.
   */
  void (*multiply)(const struct qn_product *product, int32_t first, int32_t last);

  const struct qn_layer_kernels *layer;
};

extern const struct qn_kernels qn_plain;
extern const struct qn_kernels qn_avx2;
extern const struct qn_kernels qn_avx2_vnni;
extern const struct qn_kernels qn_avx512;
extern const struct qn_kernels qn_neon;

/*
 * The best table this machine can run, or the one of the given name; NULL if the machine lacks it.
 */
const struct qn_kernels *qn_choose_kernels(const char *name);

#endif
