/* The gated delta net of one head, token by token. */
#include <math.h>

/* Value rows are the lanes. So many vectors of them, times two chains of fma, hide its latency. */
#define DELTA_BLOCKS (2 * LANES_BLOCKS)

static void delta_convolve(int32_t n, int32_t taps, const float *const *rows, const float *weights,
                           int64_t stride, float *out) {
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes sum = lanes_zero();
    for (int32_t tap = 0; tap < taps; tap++) {
      sum = lanes_fma(elements_load(weights + tap * stride + i, n - i), elements_load(rows[tap] + i, n - i), sum);
    }
    elements_store(out + i, lanes_silu(sum), n - i);
  }
}

static void delta_l2_norm(int32_t n, float factor, float *x) {
  lanes scale = lanes_all((float)(1 / sqrt((double)(elements_dot(n, x, x) + 1e-6f))) * factor);
  for (int32_t i = 0; i < n; i += QN_LANES) {
    elements_store(x + i, lanes_mul(elements_load(x + i, n - i), scale), n - i);
  }
}

static void delta_decays(int32_t n, const float *b, const float *a, const float *a_log, const float *dt_bias,
                         float *beta, float *decay) {
  for (int32_t i = 0; i < n; i += QN_LANES) {
    elements_store(beta + i, lanes_sigmoid(elements_load(b + i, n - i)), n - i);
    lanes rate = lanes_exp(elements_load(a_log + i, n - i));
    lanes step = lanes_softplus(lanes_add(elements_load(a + i, n - i), elements_load(dt_bias + i, n - i)));
    elements_store(decay + i, lanes_exp(lanes_sub(lanes_zero(), lanes_mul(rate, step))), n - i);
  }
}

/* add, read and blocks are constants wherever this is inlined. */
static inline __attribute__((always_inline)) void delta_blocks_step(
    const int blocks, const int add, const int read, int32_t key_dim, const float *from, float *to, float decay,
    const float *add_k, const float *add_delta, const float *k, const float *q, float *sk, float *sq) {
  lanes with_k[DELTA_BLOCKS];
  lanes with_q[DELTA_BLOCKS];
  lanes delta[DELTA_BLOCKS];
#pragma GCC unroll 16
  for (int i = 0; i < blocks; i++) {
    with_k[i] = lanes_zero();
    with_q[i] = lanes_zero();
    delta[i] = add ? lanes_load(add_delta + QN_LANES * i) : lanes_zero();
  }
  lanes keep = lanes_all(decay);
  for (int32_t j = 0; j < key_dim; j++) {
    /* Here, not where they are used: a compiler cannot know that "to" is none of them. */
    lanes adding = add ? lanes_all(add_k[j]) : lanes_zero();
    lanes key = read ? lanes_all(k[j]) : lanes_zero();
    lanes query = read ? lanes_all(q[j]) : lanes_zero();
#pragma GCC unroll 16
    for (int i = 0; i < blocks; i++) {
      lanes s = lanes_load(from + QN_LANES * i);
      if (add) {
        s = lanes_fma(delta[i], adding, lanes_mul(s, keep));
        lanes_store(to + QN_LANES * i, s);
      }
      if (read) {
        with_k[i] = lanes_fma(s, key, with_k[i]);
        with_q[i] = lanes_fma(s, query, with_q[i]);
      }
    }
    from += QN_LANES * blocks;
    to += QN_LANES * blocks;
  }
  if (read) {
#pragma GCC unroll 16
    for (int i = 0; i < blocks; i++) {
      lanes_store(sk + QN_LANES * i, with_k[i]);
      lanes_store(sq + QN_LANES * i, with_q[i]);
    }
  }
}

#define DELTA_STEP(blocks)                                                                                     \
  static void delta_step_##blocks(int32_t key_dim, const float *from, float *to, float decay,                  \
                                  const float *add_k, const float *add_delta, const float *k, const float *q,  \
                                  float *sk, float *sq) {                                                      \
    if (add_k == NULL) {                                                                                       \
      delta_blocks_step(blocks, 0, 1, key_dim, from, to, decay, add_k, add_delta, k, q, sk, sq);               \
    } else if (k == NULL) {                                                                                    \
      delta_blocks_step(blocks, 1, 0, key_dim, from, to, decay, add_k, add_delta, k, q, sk, sq);               \
    } else {                                                                                                   \
      delta_blocks_step(blocks, 1, 1, key_dim, from, to, decay, add_k, add_delta, k, q, sk, sq);               \
    }                                                                                                          \
  }
DELTA_STEP(1)
DELTA_STEP(2)
#if LANES_BLOCKS == 2
DELTA_STEP(3)
DELTA_STEP(4)
#endif
#undef DELTA_STEP

static void delta_step(int32_t key_dim, int32_t blocks, const float *from, float *to, float decay,
                       const float *add_k, const float *add_delta, const float *k, const float *q, float *sk,
                       float *sq) {
  switch (blocks) {
    case 1:
      delta_step_1(key_dim, from, to, decay, add_k, add_delta, k, q, sk, sq);
      break;
    case 2:
      delta_step_2(key_dim, from, to, decay, add_k, add_delta, k, q, sk, sq);
      break;
#if LANES_BLOCKS == 2
    case 3:
      delta_step_3(key_dim, from, to, decay, add_k, add_delta, k, q, sk, sq);
      break;
    default:
      delta_step_4(key_dim, from, to, decay, add_k, add_delta, k, q, sk, sq);
      break;
#endif
  }
}

static void delta_output(int32_t n, float decay, float beta, float kq, const float *v, const float *sk,
                         const float *sq, float *delta, float *out) {
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes keep = lanes_all(decay);
    lanes missing = lanes_sub(lanes_load(v + i), lanes_mul(keep, lanes_load(sk + i)));
    lanes d = lanes_mul(lanes_all(beta), missing);
    lanes_store(delta + i, d);
    lanes_store(out + i, lanes_fma(lanes_all(kq), d, lanes_mul(keep, lanes_load(sq + i))));
  }
}

static void delta_gated_norm(int32_t n, const float *o, const float *norm, float eps, const float *z,
                             float *out) {
  lanes rms = lanes_all(elements_rms(n, o, eps));
  for (int32_t i = 0; i < n; i += QN_LANES) {
    lanes y = lanes_mul(lanes_mul(elements_load(o + i, n - i), rms), elements_load(norm + i, n - i));
    elements_store(out + i, lanes_mul(y, lanes_silu(elements_load(z + i, n - i))), n - i);
  }
}
