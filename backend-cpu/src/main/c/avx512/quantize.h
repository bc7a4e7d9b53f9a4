/*
 * Activations as unpack.h wants them: per block of 64 V columns, V vectors of 64 bytes, byte j of
 * vector i being column V j + i.
 */
#ifndef QNEXT_AVX512_QUANTIZE_H
#define QNEXT_AVX512_QUANTIZE_H

#include "../numbers.h"
#include "unpack.h"

#include <math.h>
#include <string.h>

/* One group of n columns, a multiple of 16, to bytes in order. */
static void quantize_group(int32_t n, const float *x, int8_t *q, float *scale, float *sum) {
  __m512i magnitudes = _mm512_setzero_si512();
  for (int32_t i = 0; i < n; i += 16) {
    __m512i bits = _mm512_loadu_si512(x + i);
    magnitudes = _mm512_max_epu32(magnitudes, _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF)));
  }
  float largest = qn_from_bits(_mm512_reduce_max_epu32(magnitudes));
  if (!(largest < INFINITY) || largest < QN_TINY) {
    *scale = largest < INFINITY ? 0 : NAN;
    *sum = 0;
    memset(q, 0, (size_t)n);
    return;
  }
  __m512 inverse = _mm512_set1_ps(127 / largest);
  __m512i total = _mm512_setzero_si512();
  for (int32_t i = 0; i < n; i += 16) {
    __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), inverse));
    total = _mm512_add_epi32(total, rounded);
    _mm_storeu_si128((__m128i *)(q + i), _mm512_cvtepi32_epi8(rounded));
  }
  *scale = largest / 127;
  *sum = (float)_mm512_reduce_add_epi32(total);
}

/*
 * QN_PAD bytes from the order of the columns to that of the blocks. Of 64 columns each vector of
 * the block gets 64 / V; vpermb brings them together, and a scatter writes them as 8-byte words.
 */
static void permute(int vectors, const int8_t *from, int8_t *to) {
  uint8_t order[64];
  int64_t place[8];
  int run = 64 / vectors;
  for (int i = 0; i < 64; i++) {
    order[i] = (uint8_t)(i % run * vectors + i / run);
  }
  for (int i = 0; i < 8; i++) {
    place[i] = 8 * i / run * 64 + 8 * i % run;
  }
  __m512i index = _mm512_loadu_si512(order);
  __m512i places = _mm512_loadu_si512(place);
  for (int block = 0; block < QN_PAD; block += 64 * vectors) {
    for (int k = 0; k < vectors; k++) {
      __m512i columns = _mm512_loadu_si512(from + block + 64 * k);
      __m512i ordered = _mm512_permutexvar_epi8(index, columns);
      _mm512_i64scatter_epi64(to + block + run * k, places, ordered, 1);
    }
  }
}

static void avx512_quantize(const struct qn_format *format, int32_t columns, const float *x,
                            int8_t *q, float *scale, float *sum) {
  int vectors = code_vectors(code_of(format));
  int8_t part[QN_PAD];
  for (int32_t from = 0; from < columns; from += QN_PAD) {
    int32_t n = columns - from < QN_PAD ? columns - from : QN_PAD;
    for (int32_t i = 0; i < n; i += format->group) {
      int32_t g = (from + i) / format->group;
      quantize_group(format->group, x + from + i, part + i, &scale[g], &sum[g]);
    }
    memset(part + n, 0, (size_t)(QN_PAD - n));
    permute(vectors, part, q + from);
  }
}

#endif
