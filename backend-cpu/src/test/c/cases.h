/* Random matrices, activations and lists of rows, each array between guard pages. */
#ifndef QNEXT_TEST_CASES_H
#define QNEXT_TEST_CASES_H

#include "../../main/c/kernels.h"
#include "guarded.h"
#include "random.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define MAX_EXPERTS 3

struct named_format {
  const char *name;
  struct qn_format format;
};

/* ORDINARY data has numbers such as models have; the rest is for what only accidents bring. */
enum weights { WEIGHTS_ORDINARY, WEIGHTS_LARGEST_CODES, WEIGHTS_ANY_SCALES, WEIGHTS_SMALLEST_SCALES, WEIGHT_KINDS };
enum inputs {
  INPUTS_ORDINARY,
  INPUTS_ONE_OUTLIER, /* per group */
  INPUTS_EQUAL,       /* all q are 127, or all -127 */
  INPUTS_ALTERNATING, /* 127, -127, ... */
  INPUTS_ZERO,
  INPUTS_DENORMAL,
  INPUTS_TINY, /* on both sides of what counts as zero */
  INPUTS_HUGE,
  INPUTS_NOT_FINITE,
  INPUTS_MIXED, /* each 32 columns another of the above */
  INPUT_KINDS
};

struct one_case {
  uint64_t seed;
  const struct named_format *format;
  enum weights weights;
  enum inputs inputs;
  enum place place;
  int32_t expert, first, last, tokens, count, bound_rows;
  int64_t out_stride;
  struct qn_matrix matrix;
  struct qn_planes planes[MAX_EXPERTS];
  int32_t columns, groups;
  float *x;
  int32_t *token_list; /* NULL where a call may leave it out */
  struct guarded blocks[3 * MAX_EXPERTS + 4];
  int32_t block_count;
};

static void *case_block(struct one_case *c, size_t bytes) {
  struct guarded *block = &c->blocks[c->block_count++];
  *block = guarded_new(bytes, c->place);
  return block->bytes;
}

/* The first n of a random order of 0 to of - 1. */
static int32_t *case_choice(struct one_case *c, struct rng *r, int32_t n, int32_t of) {
  int32_t *all = malloc((size_t)of * sizeof *all);
  for (int32_t i = 0; i < of; i++) {
    int32_t j = random_between(r, 0, i);
    all[i] = all[j];
    all[j] = i;
  }
  int32_t *chosen = case_block(c, (size_t)n * sizeof *chosen);
  memcpy(chosen, all, (size_t)n * sizeof *chosen);
  free(all);
  return chosen;
}

static void case_plain_numbers(struct rng *r, uint8_t *at, int32_t type, int32_t n, float size) {
  for (int32_t i = 0; i < n; i++) {
    float x = random_normal(r) * size;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (type == QN_F32) {
      memcpy(at + 4 * (int64_t)i, &bits, 4);
    } else if (type == QN_BF16) {
      memcpy(at + 2 * (int64_t)i, (uint8_t *)&bits + 2, 2);
    } else {
      /* Any sign and fraction; 2^-12 to 2^3 and, at exponent 0, denormals. */
      uint16_t half = (uint16_t)((random_bits(r) & 0x83FF) | (uint16_t)random_between(r, 3, 15) << 10);
      half = random_below(r, 50) == 0 ? half & 0x83FF : half;
      memcpy(at + 2 * (int64_t)i, &half, 2);
    }
  }
}

static void case_bytes(struct rng *r, uint8_t *at, size_t n) {
  for (size_t i = 0; i < n; i++) {
    at[i] = (uint8_t)(random_bits(r) >> 40);
  }
}

/* Denormal scales; for E8M0 the lowest three codes. */
static void case_smallest(struct rng *r, const struct qn_format *f, uint8_t *at, size_t bytes) {
  case_bytes(r, at, bytes);
  for (size_t i = 0; i < bytes; i++) {
    if (f->mode != QN_AFFINE) {
      at[i] = f->mode == QN_NVFP4 ? at[i] & 0x87 : at[i] % 3;
    } else if (f->type == QN_F32) {
      at[i] &= i % 4 == 3 ? 0x80 : i % 4 == 2 ? 0x7F : 0xFF;
    } else if (i % 2 == 1) {
      at[i] &= f->type == QN_F16 ? 0x83 : 0x80;
    } else if (f->type == QN_BF16) {
      at[i] &= 0x7F;
    }
  }
}

static void case_scales(struct one_case *c, struct rng *r, uint8_t *at, size_t bytes, float size) {
  const struct qn_format *f = &c->format->format;
  if (c->weights == WEIGHTS_ANY_SCALES) {
    case_bytes(r, at, bytes);
  } else if (c->weights == WEIGHTS_SMALLEST_SCALES) {
    case_smallest(r, f, at, bytes);
  } else if (f->mode == QN_AFFINE) {
    case_plain_numbers(r, at, f->type, (int32_t)(bytes / (f->type == QN_F32 ? 4 : 2)), size);
  } else {
    for (size_t i = 0; i < bytes; i++) {
      at[i] = (uint8_t)(f->mode == QN_NVFP4 ? random_between(r, 0, 0x7E) : random_between(r, 117, 130));
    }
  }
}

/* E4M3's two NaN among ordinary codes would leave no number to compare. */
static void case_replace_nan(uint8_t *codes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    codes[i] = (codes[i] & 127) == 127 ? (uint8_t)(codes[i] ^ 1) : codes[i];
  }
}

static void case_matrix(struct one_case *c, struct rng *r, int32_t rows) {
  const struct qn_format *f = &c->format->format;
  struct qn_matrix *m = &c->matrix;
  size_t number = f->type == QN_F32 ? 4 : 2;
  size_t codes = f->mode == QN_PLAIN ? (size_t)c->columns * number : (size_t)c->columns * (size_t)f->bits / 8;
  size_t scales = f->mode == QN_PLAIN ? 0 : (size_t)c->groups * (f->mode == QN_AFFINE ? number : 1);
  /* A row may be a part of a longer one; odd distances bring odd addresses. */
  int32_t gap = random_below(r, 3) == 0 ? random_between(r, 1, 9) : 0;
  int32_t scale_gap = random_below(r, 3) == 0 ? random_between(r, 1, 9) : 0;
  *m = (struct qn_matrix){.format = *f,
                          .experts = random_between(r, 1, MAX_EXPERTS),
                          .rows = rows,
                          .columns = c->columns,
                          .row_bytes = (int64_t)codes + gap,
                          .scale_row_bytes = (int64_t)scales + scale_gap,
                          .planes = c->planes};
  size_t all_codes = (size_t)(rows - 1) * (size_t)m->row_bytes + codes;
  size_t all_scales = scales == 0 ? 0 : (size_t)(rows - 1) * (size_t)m->scale_row_bytes + scales;
  /* At the start of a page an odd address leaves a byte in front, which is harmless. */
  size_t odd = c->place == AT_START ? (size_t)random_below(r, 4) : 0;
  for (int32_t e = 0; e < m->experts; e++) {
    uint8_t *at = (uint8_t *)case_block(c, all_codes + odd) + odd;
    if (f->mode == QN_PLAIN && c->weights != WEIGHTS_ANY_SCALES) {
      memset(at, 0, all_codes);
      for (int32_t row = 0; row < rows; row++) {
        case_plain_numbers(r, at + row * m->row_bytes, f->type, c->columns, 0.1f);
      }
    } else if (c->weights == WEIGHTS_LARGEST_CODES) {
      memset(at, f->mode == QN_AFFINE ? 0xFF : f->mode == QN_MXFP8 ? 0x7E : 0x7F, all_codes);
    } else {
      case_bytes(r, at, all_codes);
      if (f->mode == QN_MXFP8 && c->weights == WEIGHTS_ORDINARY) {
        case_replace_nan(at, all_codes);
      }
    }
    c->planes[e].codes = at;
    if (scales > 0) {
      at = (uint8_t *)case_block(c, all_scales + odd) + odd;
      memset(at, 0, all_scales);
      for (int32_t row = 0; row < rows; row++) {
        case_scales(c, r, at + row * m->scale_row_bytes, scales, 0.05f);
      }
      c->planes[e].scales = at;
    }
    if (f->mode == QN_AFFINE) {
      at = (uint8_t *)case_block(c, all_scales + odd) + odd;
      memset(at, 0, all_scales);
      for (int32_t row = 0; row < rows; row++) {
        case_scales(c, r, at + row * m->scale_row_bytes, scales, 0.3f);
      }
      c->planes[e].biases = at;
    }
  }
}

static float case_input(struct rng *r, enum inputs kind, int32_t k, int32_t outlier, float sign) {
  switch (kind) {
    case INPUTS_ONE_OUTLIER:
      return k == outlier ? sign * 3e4f : random_normal(r);
    case INPUTS_EQUAL:
      return sign * 0.7f;
    case INPUTS_ALTERNATING:
      return k % 2 == 0 ? sign * 1.5f : sign * -1.5f;
    case INPUTS_ZERO:
      return k % 3 == 0 ? -0.0f : 0.0f;
    case INPUTS_DENORMAL:
      return random_unit(r) * 1e-39f;
    case INPUTS_TINY:
      return random_unit(r) * 1.5e-30f;
    case INPUTS_HUGE:
      return random_below(r, 8) == 0 ? sign * FLT_MAX : random_unit(r) * 3e38f;
    case INPUTS_NOT_FINITE:
      return k != outlier ? random_normal(r) : random_below(r, 2) == 0 ? sign * INFINITY : NAN;
    default:
      return random_normal(r);
  }
}

static void case_inputs(struct one_case *c, struct rng *r) {
  c->x = case_block(c, (size_t)c->tokens * (size_t)c->columns * sizeof *c->x);
  for (int32_t t = 0; t < c->tokens; t++) {
    for (int32_t k = 0; k < c->columns; k += 32) {
      enum inputs kind = c->inputs != INPUTS_MIXED ? c->inputs : (enum inputs)random_below(r, INPUTS_MIXED);
      int32_t outlier = random_below(r, 32);
      float sign = random_below(r, 2) == 0 ? 1 : -1;
      /* Most groups of a row that holds a NaN must still be ordinary, or nothing is seen. */
      if (kind == INPUTS_NOT_FINITE && random_below(r, 40) != 0) {
        kind = INPUTS_ORDINARY;
      }
      for (int32_t i = 0; i < 32 && k + i < c->columns; i++) {
        c->x[(int64_t)t * c->columns + k + i] = case_input(r, kind, i, outlier, sign);
      }
    }
  }
}

/* Every fourth case is an edge case; sizes are such that "work" products are about the most. */
static void case_new(struct one_case *c, const struct named_format *format, uint64_t seed, int64_t work) {
  struct rng random = {seed * 0x2545F4914F6CDD1Du + (uint64_t)(format->name[0] + 31 * format->name[1])};
  struct rng *r = &random;
  const struct qn_format *f = &format->format;
  *c = (struct one_case){.seed = seed, .format = format};
  if (seed % 4 == 3) {
    c->weights = (enum weights)random_below(r, WEIGHT_KINDS);
    c->inputs = (enum inputs)random_below(r, INPUT_KINDS);
  }
  c->place = (enum place)random_below(r, PLACES);
  c->columns = f->mode == QN_PLAIN ? random_between(r, 1, 2304) : f->group * random_between(r, 1, 2304 / f->group);
  c->groups = f->mode == QN_PLAIN ? 0 : c->columns / f->group;
  int32_t rows = random_between(r, 1, 70);
  c->count = random_below(r, 16) == 0 ? 64 : random_below(r, 3) == 0 ? 1 : random_between(r, 1, 20);
  while ((int64_t)rows * c->columns * c->count > work && c->count > 1) {
    c->count = (c->count + 1) / 2;
  }
  c->first = 16 * random_below(r, (rows + 15) / 16);
  c->last = random_between(r, c->first + 1, rows);
  case_matrix(c, r, rows);
  c->expert = random_below(r, c->matrix.experts);

  c->tokens = c->count;
  if (random_below(r, 2) == 0) {
    c->tokens = random_between(r, 1, c->count + 3);
    c->token_list = case_block(c, (size_t)c->count * sizeof *c->token_list);
    for (int32_t i = 0; i < c->count; i++) {
      c->token_list[i] = random_below(r, c->tokens);
    }
  }
  c->bound_rows = rows;
  if (random_below(r, 3) == 0) {
    c->bound_rows += random_below(r, 6);
    c->matrix.row_map = case_choice(c, r, rows, c->bound_rows);
  }
  c->out_stride = c->bound_rows + random_below(r, 4);
  case_inputs(c, r);
  for (int32_t i = 0; i < c->block_count; i++) {
    guarded_seal(&c->blocks[i]);
  }
}

static void case_free(struct one_case *c) {
  for (int32_t i = 0; i < c->block_count; i++) {
    guarded_free(&c->blocks[i]);
  }
}

static void case_print(const struct one_case *c) {
  fprintf(stderr,
          "  %s seed %llu: columns %d, rows %d to %d of %d, expert %d of %d, count %d of %d tokens%s%s, "
          "row bytes %lld, weights %d, inputs %d, place %d\n",
          c->format->name, (unsigned long long)c->seed, c->columns, c->first, c->last, c->matrix.rows, c->expert,
          c->matrix.experts, c->count, c->tokens, c->token_list == NULL ? "" : ", listed",
          c->matrix.row_map == NULL ? "" : ", row_map",
          (long long)c->matrix.row_bytes, c->weights, c->inputs, c->place);
}

#endif
