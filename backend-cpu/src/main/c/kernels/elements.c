/* Rows of numbers: norms, sums, the largest. */
#include <math.h>

/* The first of n remaining numbers, at most 16, zeros after them. */
static inline lanes elements_load(const float *at, int32_t n) {
  return n >= QN_LANES ? lanes_load(at) : lanes_load_n(at, n);
}

static inline void elements_store(float *at, lanes x, int32_t n) {
  if (n >= QN_LANES) {
    lanes_store(at, x);
  } else {
    lanes_store_n(at, x, n);
  }
}

static float elements_dot(int32_t n, const float *a, const float *b) {
  lanes sum[4] = {lanes_zero(), lanes_zero(), lanes_zero(), lanes_zero()};
  int32_t i = 0;
  for (; i + 4 * QN_LANES <= n; i += 4 * QN_LANES) {
    for (int v = 0; v < 4; v++) {
      sum[v] = lanes_fma(lanes_load(a + i + QN_LANES * v), lanes_load(b + i + QN_LANES * v), sum[v]);
    }
  }
  for (int v = 0; i < n; i += QN_LANES, v++) {
    sum[v] = lanes_fma(elements_load(a + i, n - i), elements_load(b + i, n - i), sum[v]);
  }
  return lanes_sum(lanes_add(lanes_add(sum[0], sum[2]), lanes_add(sum[1], sum[3])));
}

/* 1 / sqrt(mean(x^2) + eps) */
static float elements_rms(int32_t n, const float *x, float eps) {
  return (float)(1 / sqrt((double)(elements_dot(n, x, x) / (float)n + eps)));
}

static void elements_add_norm(int32_t n, const float *residual, const float *delta, const float *weight,
                              float eps, float *sum, float *normed) {
  if (delta != NULL) {
    for (int32_t i = 0; i < n; i += QN_LANES) {
      elements_store(sum + i, lanes_add(elements_load(residual + i, n - i), elements_load(delta + i, n - i)), n - i);
    }
    residual = sum;
  } else if (sum != NULL && sum != residual) {
    memcpy(sum, residual, (size_t)n * sizeof *sum);
  }
  lanes scale = lanes_all(elements_rms(n, residual, eps));
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes x = lanes_mul(elements_load(residual + i, n - i), scale);
    elements_store(normed + i, lanes_mul(x, elements_load(weight + i, n - i)), n - i);
  }
}

static void elements_swiglu(int32_t n, const float *gate, const float *up, float *out) {
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes x = lanes_silu(elements_load(gate + i, n - i));
    elements_store(out + i, lanes_mul(x, elements_load(up + i, n - i)), n - i);
  }
}

static void elements_sigmoid(int32_t n, const float *x, float *out) {
  for (int32_t i = 0; i < n; i += QN_LANES) {
    elements_store(out + i, lanes_sigmoid(elements_load(x + i, n - i)), n - i);
  }
}

static void elements_weighted_sum(int32_t n, int32_t count, const float *x, int64_t stride, const int32_t *rows,
                                  const float *weights, float *out) {
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes sum = lanes_zero();
    for (int32_t c = 0; c < count; c++) {
      sum = lanes_fma(lanes_all(weights[c]), elements_load(x + rows[c] * stride + i, n - i), sum);
    }
    elements_store(out + i, sum, n - i);
  }
}

/* Puts a key to its place among those held. */
static int32_t elements_insert(int64_t key, int32_t k, int32_t held, int64_t *keys) {
  if (held == k && key <= keys[k - 1]) {
    return held;
  }
  int32_t at = held == k ? k - 1 : held;
  for (; at > 0 && keys[at - 1] < key; at--) {
    keys[at] = keys[at - 1];
  }
  keys[at] = key;
  return held == k ? k : held + 1;
}

/* Whatever is not above the smallest one held is passed over sixteen at a time. */
static int32_t elements_top(int32_t n, const float *x, int32_t from, int32_t k, int32_t held, int64_t *keys) {
  int32_t i = 0;
  for (; i < n && held < k; i++) {
    held = elements_insert(qn_key(x[i], from + i), k, held, keys);
  }
  while (i < n) {
    lanes least = lanes_all(qn_key_number(keys[k - 1]));
    int32_t some = n - i < QN_LANES ? n - i : QN_LANES;
    uint32_t above = lanes_not_at_most(elements_load(x + i, n - i), least) & ((1u << some) - 1);
    for (; above != 0; above &= above - 1) {
      int32_t l = __builtin_ctz(above);
      elements_insert(qn_key(x[i + l], from + i + l), k, k, keys);
    }
    i += some;
  }
  return held;
}

static float elements_exponential_sum(int32_t n, const float *x, float max) {
  lanes sum = lanes_zero();
  lanes most = lanes_all(max);
  int32_t i = 0;
  for (; i + QN_LANES <= n; i += QN_LANES) {
    sum = lanes_add(sum, lanes_exp(lanes_sub(lanes_load(x + i), most)));
  }
  if (i < n) {
    float rest[QN_LANES] = {0};
    lanes_store_n(rest, lanes_exp(lanes_sub(lanes_load_n(x + i, n - i), most)), n - i);
    sum = lanes_add(sum, lanes_load(rest));
  }
  return lanes_sum(sum);
}

static void elements_exponentials(int32_t n, const float *x, float max, float *out) {
  for (int32_t i = 0; i < n; i += QN_LANES) {
    elements_store(out + i, lanes_exp(lanes_sub(elements_load(x + i, n - i), lanes_all(max))), n - i);
  }
}
