/*
 * Quantizes and multiplies random cases of every format with one table of kernels, and compares:
 *
 *   table with plain: scales, sums and results to the bit, q as a set (its order is the table's own)
 *   plain with f64:   the definition (integers times decoded weights) within the rounding of its
 *                     f32 sums; and how far integers are from the true product
 *   table with MLX:   codes and numbers that MLX 0.32.2 packed
 *
 *   quantized_test TABLE CASES [LEFT_OUT...]
 *
 * CASES per format; LEFT_OUT are formats, or beginnings of their names. Exits with 0 if all is
 * well, 1 if not, 77 if this machine lacks the table. A failure prints the case; "seed" repeats it.
 */
#include "cases.h"
#include "decode.h"

#include <inttypes.h>

#define AFFINE(BITS, GROUP)                                                          \
  {"affine" #BITS "-g" #GROUP "-f32", {QN_AFFINE, BITS, GROUP, QN_F32}},             \
      {"affine" #BITS "-g" #GROUP "-f16", {QN_AFFINE, BITS, GROUP, QN_F16}},         \
      {"affine" #BITS "-g" #GROUP "-bf16", {QN_AFFINE, BITS, GROUP, QN_BF16}}
#define AFFINES(BITS) AFFINE(BITS, 32), AFFINE(BITS, 64), AFFINE(BITS, 128)

static const struct named_format formats[] = {
    AFFINES(2),
    AFFINES(3),
    AFFINES(4),
    AFFINES(5),
    AFFINES(6),
    AFFINES(8),
    {"mxfp4", {QN_MXFP4, 4, 32, QN_F32}},
    {"nvfp4", {QN_NVFP4, 4, 16, QN_F32}},
    {"mxfp8", {QN_MXFP8, 8, 32, QN_F32}},
    {"plain-f32", {QN_PLAIN, 32, 1, QN_F32}},
    {"plain-f16", {QN_PLAIN, 16, 1, QN_F16}},
    {"plain-bf16", {QN_PLAIN, 16, 1, QN_BF16}},
};
#define FORMATS ((int)(sizeof formats / sizeof *formats))

/* What no kernel writes: cells that it must leave alone keep it. */
#define UNTOUCHED 0x7FA5A5A5u

static int failures;

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* A NaN is as good as another, but not as good as a cell that was left alone. */
static int same(float a, float b) {
  return bits_of(a) == bits_of(b) ||
         (isnan(a) && isnan(b) && bits_of(a) != UNTOUCHED && bits_of(b) != UNTOUCHED);
}

/* Counts a failure; the first ones are printed, with what comes after "what". */
static int fails(const struct one_case *c, const char *what, int64_t at, double value, double expected) {
  if (failures++ < 20) {
    fprintf(stderr, "%s at %" PRId64 ": %.9g, expected %.9g\n", what, at, value, expected);
    case_print(c);
  }
  return 1;
}

/* The last row of results does not go on to its stride. */
static int64_t case_cells(const struct one_case *c) {
  return (c->count - 1) * c->out_stride + c->bound_rows;
}

struct results {
  struct qn_activations a;
  float *out;
  struct guarded blocks[4];
};

/* One pass of a table over a case; its arrays lie between guard pages too. */
static void results_new(struct results *r, const struct qn_kernels *kernels, const struct one_case *c) {
  int32_t padded = qn_padded(c->columns);
  *r = (struct results){.a = {.columns = c->columns, .padded = padded, .groups = c->groups, .x = c->x}};
  if (qn_takes_integers(&c->matrix.format)) {
    r->blocks[0] = guarded_new((size_t)c->tokens * (size_t)padded, c->place);
    r->blocks[1] = guarded_new((size_t)c->tokens * (size_t)c->groups * sizeof(float), c->place);
    r->blocks[2] = guarded_new((size_t)c->tokens * (size_t)c->groups * sizeof(float), c->place);
    r->a.q = (int8_t *)r->blocks[0].bytes;
    r->a.scale = (float *)r->blocks[1].bytes;
    r->a.sum = (float *)r->blocks[2].bytes;
    memset(r->a.q, 0x55, (size_t)c->tokens * (size_t)padded);
    for (int32_t t = 0; t < c->tokens; t++) {
      kernels->quantize(&c->matrix.format, c->columns, c->x + (int64_t)t * c->columns,
                        r->a.q + (int64_t)t * padded, r->a.scale + (int64_t)t * c->groups,
                        r->a.sum + (int64_t)t * c->groups);
    }
    for (int i = 0; i < 3; i++) {
      guarded_seal(&r->blocks[i]);
    }
  }
  int64_t cells = case_cells(c);
  r->blocks[3] = guarded_new((size_t)cells * sizeof(float), c->place);
  r->out = (float *)r->blocks[3].bytes;
  for (int64_t i = 0; i < cells; i++) {
    uint32_t untouched = UNTOUCHED;
    memcpy(&r->out[i], &untouched, sizeof untouched);
  }
  /* A table may ask for what comes next, but not read it: it is nowhere. */
  struct qn_planes nowhere = {(const uint8_t *)64, (const uint8_t *)64, (const uint8_t *)64};
  struct qn_product product = {&c->matrix, c->expert, c->count, r->a, c->token_list, r->out, c->out_stride,
                               c->expert % 2 == 0 ? &nowhere : NULL};
  kernels->multiply(&product, c->first, c->last);
}

static void results_free(struct results *r) {
  for (int i = 0; i < 4; i++) {
    guarded_free(&r->blocks[i]);
  }
}

static void compare_with_plain(const struct one_case *c, const struct results *table, const struct results *plain) {
  for (int32_t i = 0; plain->a.q != NULL && i < c->tokens * c->groups; i++) {
    if ((!same(table->a.scale[i], plain->a.scale[i]) &&
         fails(c, "scale", i, table->a.scale[i], plain->a.scale[i])) ||
        (!same(table->a.sum[i], plain->a.sum[i]) && fails(c, "sum", i, table->a.sum[i], plain->a.sum[i]))) {
      return;
    }
  }
  for (int32_t t = 0; plain->a.q != NULL && t < c->tokens; t++) {
    int32_t surplus[256] = {0};
    for (int32_t i = 0; i < plain->a.padded; i++) {
      surplus[128 + table->a.q[(int64_t)t * plain->a.padded + i]]++;
      surplus[128 + plain->a.q[(int64_t)t * plain->a.padded + i]]--;
    }
    for (int32_t i = 0; i < 256; i++) {
      if (surplus[i] != 0 && fails(c, "how often q is a number too often", i - 128, surplus[i], 0)) {
        return;
      }
    }
  }
  for (int64_t i = 0; i < case_cells(c); i++) {
    if (!same(table->out[i], plain->out[i]) && fails(c, "result", i, table->out[i], plain->out[i])) {
      return;
    }
  }
}

/* q in the order of the columns, as plain C has it: what it must say about x. */
static void check_quantized(const struct one_case *c, const struct qn_activations *a) {
  int32_t group = c->matrix.format.group;
  for (int32_t t = 0; t < c->tokens; t++) {
    for (int32_t g = 0; g < c->groups; g++) {
      const float *x = c->x + (int64_t)t * c->columns + (int64_t)g * group;
      const int8_t *q = a->q + (int64_t)t * a->padded + (int64_t)g * group;
      float scale = a->scale[(int64_t)t * c->groups + g];
      float largest = 0;
      int32_t sum = 0;
      int finite = 1;
      for (int32_t i = 0; i < group; i++) {
        finite &= isfinite(x[i]) != 0;
        largest = fmaxf(largest, fabsf(x[i]));
        sum += q[i];
      }
      float expected = !finite ? NAN : largest < 1e-30f ? 0 : largest / 127;
      if (!same(scale, expected) && fails(c, "plain: scale", g, scale, expected)) {
        return;
      }
      if (a->sum[(int64_t)t * c->groups + g] != (float)sum &&
          fails(c, "plain: sum", g, a->sum[(int64_t)t * c->groups + g], sum)) {
        return;
      }
      for (int32_t i = 0; i < group; i++) {
        int zero = !finite || expected == 0;
        double error = zero ? q[i] : (double)scale * q[i] - x[i];
        if (fabs(error) > (zero ? 0 : 0.5001 * (double)scale) && fails(c, "plain: q", i, q[i], x[i])) {
          return;
        }
      }
    }
  }
}

/*
 * Plain C's results against f64. Returns the square of the largest of: root mean square error
 * against the true x, over the size of what was added up; 0 where that is not asked.
 */
static double compare_with_f64(const struct one_case *c, const struct results *plain) {
  const struct qn_matrix *m = &c->matrix;
  const struct qn_format *f = &m->format;
  int integers = qn_takes_integers(f);
  double squares = 0;
  double size = 0;
  for (int32_t i = 0; i < c->count; i++) {
    int64_t t = c->token_list == NULL ? i : c->token_list[i];
    for (int32_t r = c->first; r < c->last; r++) {
      const float *x = c->x + t * c->columns;
      double sum = 0;
      double added = 0; /* the sizes of what was added up, which bound the rounding */
      double truth = 0;
      double largest_scale = 1;
      double unscaled = 0; /* products before they are multiplied by the scale of x */
      for (int32_t k = 0; k < c->columns; k++) {
        double w = decode_weight(m, c->expert, r, k);
        double input = x[k];
        if (integers) {
          int32_t g = k / f->group;
          double scale = plain->a.scale[t * c->groups + g];
          input = scale * plain->a.q[t * plain->a.padded + k];
          double bias =
              f->mode == QN_AFFINE
                  ? decode_plain(m->planes[c->expert].biases + r * m->scale_row_bytes, f->type, g)
                  : 0;
          added += (fabs(w - bias) + fabs(bias)) * fabs(input);
          unscaled += (fabs(w - bias) + fabs(bias)) * 127;
          largest_scale = fmax(largest_scale, scale);
        } else {
          added += fabs(w * input);
        }
        sum += w * input;
        truth += w * x[k];
        size += w * x[k] * w * x[k];
      }
      int64_t at = i * c->out_stride +
                   (m->row_map == NULL ? r : m->row_map[r]);
      double y = plain->out[at];
      squares += (y - truth) * (y - truth);
      int32_t roundings = integers ? c->groups + 3 : c->columns / 16 + 6;
      if (!isfinite(added) || !(fmax(added, unscaled) < FLT_MAX / 2)) {
        continue; /* f32 may overflow; that tables do so alike is compared elsewhere */
      }
      double tolerance = roundings * (added * 0x1p-24 + largest_scale * 0x1p-149);
      if (!(fabs(y - sum) <= tolerance) &&
          fails(c, "plain against f64", at, y, sum)) {
        return 0;
      }
    }
  }
  if (!integers || c->inputs != INPUTS_ORDINARY || c->weights != WEIGHTS_ORDINARY) {
    return 0;
  }
  if (!(squares <= 0.04 * 0.04 * size)) {
    fails(c, "plain against the true product", 0, sqrt(squares / size), 0.04);
  }
  return squares / size;
}

/* The weights of one group as a table sees them: products with one-hot x. */
static void golden_weights(const struct qn_kernels *kernels, const struct qn_format *f, int32_t columns,
                           const uint8_t *codes, const uint8_t *scales, const uint8_t *biases, float *weights) {
  struct qn_planes planes = {codes, scales, biases};
  struct qn_matrix m = {.format = *f, .experts = 1, .rows = 1, .columns = columns, .planes = &planes};
  _Alignas(64) int8_t q[QN_PAD];
  float x[64], scale[4], sum[4];
  for (int32_t k = 0; k < columns; k++) {
    memset(x, 0, sizeof x);
    x[k] = 1;
    struct qn_activations a = {columns, QN_PAD, columns / f->group, x, q, scale, sum};
    if (qn_takes_integers(f)) {
      kernels->quantize(f, columns, x, q, scale, sum);
    }
    struct qn_product product = {.matrix = &m, .count = 1, .x = a, .out = &weights[k], .out_stride = 1};
    kernels->multiply(&product, 0, 1);
  }
}

static void golden_fails(const char *name, int32_t k, double value, double expected) {
  failures++;
  fprintf(stderr, "golden %s at %d: %.9g, expected %.9g\n", name, k, value, expected);
}

/* Bytes that MLX 0.32.2 packed from known codes, and from w[i] = (i - 10) / 8 in f32. */
static void check_golden(const struct qn_kernels *kernels) {
  static const struct {
    int32_t bits;
    int32_t count;
    uint8_t codes[8];
    uint8_t bytes[32];
  } packed[] = {
      {2, 4, {0, 1, 2, 3}, {0xe4}},
      {3, 8, {0, 1, 2, 3, 4, 5, 6, 7}, {0x88, 0xc6, 0xfa}},
      {4, 8, {0, 1, 2, 3, 4, 5, 6, 7}, {0x10, 0x32, 0x54, 0x76}},
      {5, 8, {1, 2, 4, 8, 16, 31, 21, 10}, {0x41, 0x10, 0x04, 0x7f, 0x55}},
      {6, 4, {1, 2, 62, 42}, {0x81, 0xe0, 0xab}},
  };
  float weights[32];
  for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
    struct qn_format f = {QN_AFFINE, packed[i].bits, 32, QN_F32};
    float one = 1, zero = 0;
    golden_weights(kernels, &f, 32, packed[i].bytes, (uint8_t *)&one, (uint8_t *)&zero, weights);
    for (int32_t k = 0; k < 32; k++) {
      float expected = k < packed[i].count ? packed[i].codes[k] : 0;
      if (!(fabsf(weights[k] - expected) <= 1e-5f)) {
        golden_fails("codes", k, weights[k], expected);
      }
    }
  }

  static const struct {
    const char *name;
    struct qn_format format;
    float scale, bias;
    uint8_t scale_bytes[2];
    float step; /* between neighbours, at the far end */
    uint8_t bytes[20];
  } groups[] = {
      {"affine2", {QN_AFFINE, 2, 32, QN_F32}, -1.3125f, 2.625f, {0}, 1.3125f,
       {0xff, 0xab, 0xaa, 0xaa, 0x55, 0x55, 0x05, 0x00}},
      {"affine3", {QN_AFFINE, 3, 32, QN_F32}, -0.525f, 2.625f, {0}, 0.525f,
       {0xff, 0x6f, 0xdb, 0x6d, 0x5b, 0x92, 0xdc, 0x36, 0x49, 0x4a, 0x12, 0x00}},
      {"affine4", {QN_AFFINE, 4, 32, QN_F32}, -0.2625f, 2.625f, {0}, 0.2625f,
       {0xef, 0xde, 0xcd, 0xbc, 0xab, 0xaa, 0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00}},
      {"affine5", {QN_AFFINE, 5, 32, QN_F32}, -0.125f, 2.625f, {0}, 0.125f,
       {0xdf, 0x77, 0xbe, 0x75, 0xc6, 0xd7, 0x56, 0x3a, 0x65, 0x84,
        0xcf, 0x35, 0xb6, 0x54, 0x42, 0xc7, 0x14, 0x32, 0x44, 0x00}},
      {"mxfp4", {QN_MXFP4, 4, 32, QN_F32}, 0, 0, {0x7e}, 1,
       {0xcc, 0xbc, 0xab, 0x9a, 0x09, 0x00, 0x11, 0x22, 0x33, 0x44, 0x54, 0x55, 0x65, 0x66, 0x66, 0x76}},
      {"nvfp4", {QN_NVFP4, 4, 16, QN_F32}, 0, 0, {0x25, 0x2e}, 0.875f,
       {0xff, 0xee, 0xde, 0xcc, 0x9a, 0x10, 0x42, 0x54, 0x43, 0x54, 0x55, 0x65, 0x66, 0x66, 0x77, 0x77}},
  };
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
    int affine = groups[i].format.mode == QN_AFFINE;
    const uint8_t *scales = affine ? (const uint8_t *)&groups[i].scale : groups[i].scale_bytes;
    golden_weights(kernels, &groups[i].format, 32, groups[i].bytes, scales,
                   affine ? (const uint8_t *)&groups[i].bias : NULL, weights);
    for (int32_t k = 0; k < 32; k++) {
      float expected = (float)(k - 10) / 8;
      if (!(fabsf(weights[k] - expected) <= 0.5001f * groups[i].step)) {
        golden_fails(groups[i].name, k, weights[k], expected);
      }
    }
  }
}

/* Whether the format is among those to be left out, by the beginning of its name. */
static int left_out(const char *name, int count, char **list) {
  for (int i = 0; i < count; i++) {
    if (strncmp(name, list[i], strlen(list[i])) == 0) {
      return 1;
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "quantized_test TABLE CASES [LEFT_OUT...]\n");
    return 2;
  }
  const struct qn_kernels *table = qn_choose_kernels(argv[1]);
  if (table == NULL) {
    printf("%s: this machine cannot run it\n", argv[1]);
    return 77;
  }
  if (strcmp(table->name, argv[1]) != 0) {
    fprintf(stderr, "asked for %s, got %s\n", argv[1], table->name);
    return 1;
  }
  int cases = atoi(argv[2]);
  int tested = 0;
  double worst = 0;
  check_golden(table);
  for (int i = 0; i < FORMATS; i++) {
    if (left_out(formats[i].name, argc - 3, argv + 3)) {
      continue;
    }
    tested++;
    for (int seed = 0; seed < cases; seed++) {
      struct one_case c;
      struct results by_plain;
      case_new(&c, &formats[i], (uint64_t)seed, seed % 10 == 9 ? 2000000 : 200000);
      results_new(&by_plain, &qn_plain, &c);
      if (table == &qn_plain) {
        if (by_plain.a.q != NULL) {
          check_quantized(&c, &by_plain.a);
        }
        worst = fmax(worst, compare_with_f64(&c, &by_plain));
      } else {
        struct results by_table;
        results_new(&by_table, table, &c);
        compare_with_plain(&c, &by_table, &by_plain);
        results_free(&by_table);
      }
      results_free(&by_plain);
      case_free(&c);
    }
  }
  printf("%s: %d of %d formats, %d cases each", table->name, tested, FORMATS, cases);
  if (table == &qn_plain) {
    printf("; integers for x: error up to %.2f %%", 100 * sqrt(worst));
  }
  printf("%s\n", failures == 0 ? "" : ": FAILED");
  return failures != 0;
}
