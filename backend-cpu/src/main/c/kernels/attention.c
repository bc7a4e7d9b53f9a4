/*
 * Attention of the queries of one key/value head to tiles of its cache: per tile scores, weights
 * relative to the largest score so far, and the values' weighted sum, rescaled when that grows.
 */
#include <math.h>

static void attention_norm_and_turn(int32_t n, const float *x, const float *weight, float eps, int32_t half,
                                    const float *cos, const float *sin, float scale, float *out) {
  lanes rms = lanes_all(elements_rms(n, x, eps));
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes y = lanes_mul(elements_load(x + i, n - i), rms);
    elements_store(out + i, lanes_mul(y, elements_load(weight + i, n - i)), n - i);
  }
  for (int32_t i = 0; i < half; i += QN_LANES) {
    int32_t some = half - i;
    lanes c = elements_load(cos + i, some);
    lanes s = elements_load(sin + i, some);
    lanes a = elements_load(out + i, some);
    lanes b = elements_load(out + half + i, some);
    elements_store(out + i, lanes_sub(lanes_mul(a, c), lanes_mul(b, s)), some);
    elements_store(out + half + i, lanes_add(lanes_mul(b, c), lanes_mul(a, s)), some);
  }
  for (int32_t i = 0; i < n; i += QN_LANES) {
    elements_store(out + i, lanes_mul(elements_load(out + i, n - i), lanes_all(scale)), n - i);
  }
}

static void attention_append(int32_t head_dim, const float *key, const float *value, int32_t place,
                             uint16_t *tile) {
  uint16_t *keys = tile + (int64_t)place / QN_LANES * head_dim * QN_LANES + place % QN_LANES;
  uint16_t *values = tile + (int64_t)QN_TILE * head_dim + place * QN_LANES;
  for (int32_t d = 0; d < head_dim; d += QN_LANES) {
    uint16_t halves[QN_LANES];
    lanes_store_f16(halves, elements_load(key + d, head_dim - d));
    for (int32_t l = 0; l < QN_LANES && d + l < head_dim; l++) {
      keys[(d + l) * QN_LANES] = halves[l];
    }
    lanes_store_f16(values + (int64_t)d * QN_TILE, elements_load(value + d, head_dim - d));
  }
}

/*
 * "rows" rows of c, each "blocks" vectors wide (block_stride apart in b, side by side in c):
 *
 *   c[r] = c[r] * factor[r] (0 where factor is NULL) + sum over s < steps of a[r][s] * b[s]
 *
 * A chain of fma for each row and block: as many in flight as the registers hold, and one load of b
 * serves all rows. Meanwhile memory at "ahead" is fetched, so many bytes per step. rows and blocks
 * are constants wherever this is inlined.
 */
static inline __attribute__((always_inline)) void attention_product(
    const int rows, const int blocks, int32_t steps, const float *a, int32_t a_stride, const uint16_t *b,
    int64_t block_stride, const float *factor, float *c, int32_t c_stride, const char *ahead, int32_t ahead_step) {
  lanes sum[LANES_ROWS][LANES_BLOCKS];
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
    for (int j = 0; j < blocks; j++) {
      sum[r][j] = factor == NULL ? lanes_zero()
                                 : lanes_mul(lanes_load(c + r * c_stride + QN_LANES * j), lanes_all(factor[r]));
    }
  }
  for (int32_t s = 0; s < steps; s++) {
    lanes x[LANES_BLOCKS];
#pragma GCC unroll 16
    for (int j = 0; j < blocks; j++) {
      x[j] = lanes_f16(b + j * block_stride + QN_LANES * s);
    }
    __builtin_prefetch(ahead, 0, 2);
    ahead += ahead_step;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
      lanes y = lanes_all(a[r * a_stride + s]);
#pragma GCC unroll 16
      for (int j = 0; j < blocks; j++) {
        sum[r][j] = lanes_fma(y, x[j], sum[r][j]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
    for (int j = 0; j < blocks; j++) {
      lanes_store(c + r * c_stride + QN_LANES * j, sum[r][j]);
    }
  }
}

static inline __attribute__((always_inline)) void attention_block_products(
    int32_t rows, const int blocks, int32_t steps, const float *a, int32_t a_stride, const uint16_t *b,
    int64_t block_stride, const float *factor, float *c, int32_t c_stride, const char *ahead) {
  int32_t ahead_step = blocks * QN_LANES * (int32_t)sizeof *b;
  while (rows > 0) {
    int32_t some;
#define ATTENTION_ROWS(n)                                                                                        \
  do {                                                                                                           \
    attention_product(n, blocks, steps, a, a_stride, b, block_stride, factor, c, c_stride, ahead, ahead_step);   \
    some = n;                                                                                                    \
  } while (0)
    if (rows >= LANES_ROWS) {
      ATTENTION_ROWS(LANES_ROWS);
#if LANES_ROWS > 8
    } else if (rows >= 8) {
      ATTENTION_ROWS(8);
#endif
    } else if (rows >= 4) {
      ATTENTION_ROWS(4);
    } else if (rows >= 2) {
      ATTENTION_ROWS(2);
    } else {
      ATTENTION_ROWS(1);
    }
#undef ATTENTION_ROWS
    rows -= some;
    a += some * a_stride;
    c += some * c_stride;
    factor = factor == NULL ? NULL : factor + some;
    ahead_step = 0; /* once is enough */
  }
}

/*
 * All blocks of c, the rows of one after the other: b is read once from beyond the nearest cache.
 * What lies so many bytes behind b will be wanted next.
 */
static void attention_products(int32_t rows, int32_t blocks, int32_t steps, const float *a, int32_t a_stride,
                               const uint16_t *b, int64_t block_stride, const float *factor, float *c,
                               int32_t c_stride, int64_t ahead) {
  for (int32_t j = 0; j < blocks;) {
    const uint16_t *from = b + j * block_stride;
    if (j + LANES_BLOCKS <= blocks) {
      attention_block_products(rows, LANES_BLOCKS, steps, a, a_stride, from, block_stride, factor, c + QN_LANES * j,
                               c_stride, (const char *)from + ahead);
      j += LANES_BLOCKS;
    } else {
      attention_block_products(rows, 1, steps, a, a_stride, from, block_stride, factor, c + QN_LANES * j, c_stride,
                               (const char *)from + ahead);
      j++;
    }
  }
}

/*
 * Scores become weights relative to the new largest score; "factors" turn what was summed before
 * into the same terms.
 */
static void attention_weigh(const struct qn_attend_tiles *run, int32_t from, int32_t tile_first) {
  int32_t rows = run->tokens * run->group;
  for (int32_t r = from; r < rows; r++) {
    float *scores = run->scores + (int64_t)r * QN_TILE;
    for (int32_t p = run->first + r / run->group + 1 - tile_first; p < QN_TILE; p++) {
      scores[p] = -INFINITY;
    }
    lanes low = lanes_max(lanes_load(scores), lanes_load(scores + 32));
    lanes high = lanes_max(lanes_load(scores + 16), lanes_load(scores + 48));
    float largest = lanes_largest(lanes_max(low, high));
    float max = run->max[r] > largest ? run->max[r] : largest;
    run->factors[r] = run->max[r] - max;
    run->max[r] = max;
  }
  for (int32_t r = from; r < rows; r += QN_LANES) {
    elements_store(run->factors + r, lanes_exp(elements_load(run->factors + r, rows - r)), rows - r);
  }
  for (int32_t r = from; r < rows; r++) {
    float *scores = run->scores + (int64_t)r * QN_TILE;
    lanes max = lanes_all(run->max[r]);
    lanes weights[4];
    for (int i = 0; i < 4; i++) {
      weights[i] = lanes_exp(lanes_sub(lanes_load(scores + QN_LANES * i), max));
      lanes_store(scores + QN_LANES * i, weights[i]);
    }
    lanes sum = lanes_add(lanes_add(weights[0], weights[2]), lanes_add(weights[1], weights[3]));
    run->sum[r] = fmaf(run->sum[r], run->factors[r], lanes_sum(sum));
  }
}

static void attention_attend(const struct qn_attend_tiles *run) {
  int32_t dim = run->head_dim;
  int32_t width = qn_whole_lanes(dim);
  int32_t rows = run->tokens * run->group;
  for (int32_t r = 0; r < rows; r++) {
    run->max[r] = -INFINITY;
    run->sum[r] = 0;
  }
  memset(run->values, 0, (size_t)rows * (size_t)width * sizeof *run->values);
  for (int32_t i = 0; i < run->tiles; i++) {
    int32_t tile_first = run->tiles_first + i * QN_TILE;
    /* Tokens before it see nothing of this tile, tokens from "all" on see all of it. */
    int32_t some = tile_first <= run->first ? 0 : tile_first - run->first;
    int32_t all = tile_first + QN_TILE - 1 <= run->first ? 0 : tile_first + QN_TILE - 1 - run->first;
    if (some >= run->tokens) {
      return;
    }
    all = all < run->tokens ? all : run->tokens;
    const uint16_t *keys = run->cache + i * qn_tile_numbers(dim);
    const uint16_t *values = keys + (int64_t)QN_TILE * dim;
    /* While keys are read the tile's values are fetched, and with those the next tile's keys. */
    int64_t after_keys = (int64_t)QN_TILE * dim * (int64_t)sizeof *keys;
    int64_t after_values = i + 1 < run->tiles ? (int64_t)QN_TILE * width * (int64_t)sizeof *values : 0;
    int32_t last = run->first + run->tokens - tile_first;
    int32_t blocks = last >= QN_TILE ? QN_TILE / QN_LANES : (last + QN_LANES - 1) / QN_LANES;
    int32_t from = some * run->group;
    attention_products(rows - from, blocks, dim, run->queries + (int64_t)from * dim, dim, keys,
                       (int64_t)dim * QN_LANES, NULL, run->scores + (int64_t)from * QN_TILE, QN_TILE, after_keys);
    attention_weigh(run, from, tile_first);
    for (int32_t t = some; t < all; t++) {
      int32_t r = t * run->group;
      attention_products(run->group, width / QN_LANES, run->first + t + 1 - tile_first,
                         run->scores + (int64_t)r * QN_TILE, QN_TILE, values, QN_TILE * QN_LANES,
                         run->factors + r, run->values + (int64_t)r * width, width, 0);
    }
    int32_t r = all * run->group;
    attention_products(rows - r, width / QN_LANES, QN_TILE, run->scores + (int64_t)r * QN_TILE, QN_TILE, values,
                       QN_TILE * QN_LANES, run->factors + r, run->values + (int64_t)r * width, width, after_values);
  }
}

static void attention_join(int32_t n, float max, float sum, const float *values, float *to_max, float *to_sum,
                           float *to_values) {
  float most = max > *to_max ? max : *to_max;
  float differences[QN_LANES] = {max - most, *to_max - most};
  float factors[QN_LANES];
  lanes_store(factors, lanes_exp(lanes_load(differences)));
  *to_max = most;
  *to_sum = fmaf(sum, factors[0], *to_sum * factors[1]);
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes before = lanes_mul(lanes_load(to_values + i), lanes_all(factors[1]));
    lanes_store(to_values + i, lanes_fma(lanes_load(values + i), lanes_all(factors[0]), before));
  }
}

static void attention_gate(int32_t n, const float *values, float sum, const float *gate, float *out) {
  lanes share = lanes_all(1 / sum);
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes x = lanes_mul(elements_load(values + i, n - i), share);
    elements_store(out + i, lanes_mul(x, lanes_sigmoid(elements_load(gate + i, n - i))), n - i);
  }
}
