/*
 * Products with integer activations in plain C: the definition that the fast ones are held to, and
 * what runs where none of them does. Codes are read one by one from the bit stream; q lies in the
 * order of the columns.
 */
#include "../numbers.h"

#include <math.h>
#include <string.h>

static void plain_quantize(const struct qn_format *format, int32_t columns, const float *x, int8_t *q,
                     float *scale, float *sum) {
  int32_t group = format->group;
  for (int32_t g = 0; g * group < columns; g++) {
    const float *in = x + g * group;
    int8_t *to = q + g * group;
    float largest = qn_largest(in, group);
    float inverse = 0;
    if (!(largest < INFINITY)) {
      scale[g] = NAN;
    } else if (largest < QN_TINY) {
      scale[g] = 0;
    } else {
      scale[g] = largest / 127;
      inverse = 127 / largest;
    }
    int32_t total = 0;
    for (int32_t i = 0; i < group; i++) {
      to[i] = inverse == 0 ? 0 : (int8_t)lrintf(in[i] * inverse);
      total += to[i];
    }
    sum[g] = (float)total;
  }
  memset(q + columns, 0, (size_t)(qn_padded(columns) - columns));
}

static int32_t plain_code(const struct qn_format *format, const uint8_t *row, int32_t k) {
  int64_t bit = (int64_t)k * format->bits;
  int32_t low = row[bit / 8] >> bit % 8;
  int32_t straddles = bit % 8 + format->bits > 8;
  int32_t code = (low | (straddles ? row[bit / 8 + 1] << (8 - bit % 8) : 0)) & ((1 << format->bits) - 1);
  return format->mode == QN_AFFINE ? code : qn_fp4_doubled[code];
}

static void plain_multiply(const struct qn_product *p, int32_t first, int32_t last) {
  const struct qn_matrix *m = p->matrix;
  const struct qn_activations *a = &p->x;
  const struct qn_format *format = &m->format;
  const struct qn_planes *planes = &m->planes[p->expert];
  for (int32_t r = first; r < last; r++) {
    const uint8_t *codes = planes->codes + r * m->row_bytes;
    const uint8_t *scales = planes->scales + r * m->scale_row_bytes;
    const uint8_t *biases = planes->biases == NULL ? NULL : planes->biases + r * m->scale_row_bytes;
    for (int32_t i = 0; i < p->count; i++) {
      int64_t token = p->tokens == NULL ? i : p->tokens[i];
      const int8_t *q = a->q + token * a->padded;
      float y = 0;
      for (int32_t g = 0; g < a->groups; g++) {
        int32_t dot = 0;
        for (int32_t k = g * format->group; k < (g + 1) * format->group; k++) {
          dot += plain_code(format, codes, k) * q[k];
        }
        float scale = qn_scale(format, scales, g);
        float product = scale * (float)dot;
        if (biases != NULL) {
          product = fmaf(scale, (float)dot, qn_scale(format, biases, g) * a->sum[token * a->groups + g]);
        }
        y = fmaf(product, a->scale[token * a->groups + g], y);
      }
      p->out[i * p->out_stride + (m->row_map == NULL ? r : m->row_map[r])] = y;
    }
  }
}
