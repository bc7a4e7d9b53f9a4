/*
 * Functions of sixteen lanes, made of those that each instruction set has: the same operations on
 * all of them, so the same bits.
 */

/* n < 16 numbers of two bytes, zeros after them. */
static inline lanes lanes_f16_n(const void *at, int n) {
  uint16_t padded[16] = {0};
  memcpy(padded, at, 2 * (size_t)n);
  return lanes_f16(padded);
}

static inline lanes lanes_bf16_n(const void *at, int n) {
  uint16_t padded[16] = {0};
  memcpy(padded, at, 2 * (size_t)n);
  return lanes_bf16(padded);
}

/*
 * e^x within 1.5 units of the last place, denormal results included; 0 below -104, infinity above
 * 89, NaN stays NaN.
 *
 * x = n ln 2 + r, e^x = 2^n e^r; the polynomial for |r| <= ln 2 / 2 is that of Cephes' expf.
 */
static inline lanes lanes_exp(lanes x) {
  const lanes magic = lanes_all(0x1.8p23f); /* the sum's last place is 1: rounds to a whole number */
  x = lanes_min(lanes_all(89), lanes_max(lanes_all(-104), x));
  lanes n = lanes_sub(lanes_fma(x, lanes_all(1.44269504f), magic), magic);
  lanes r = lanes_fma(n, lanes_all(-0x1.62e4p-1f), x);
  r = lanes_fma(n, lanes_all(-0x1.7f7d1cp-20f), r);
  lanes p = lanes_all(1.9875691500e-4f);
  p = lanes_fma(p, r, lanes_all(1.3981999507e-3f));
  p = lanes_fma(p, r, lanes_all(8.3334519073e-3f));
  p = lanes_fma(p, r, lanes_all(4.1665795894e-2f));
  p = lanes_fma(p, r, lanes_all(1.6666665459e-1f));
  p = lanes_fma(p, r, lanes_all(5.0000001201e-1f));
  p = lanes_fma(p, lanes_mul(r, r), r);
  return lanes_scale(lanes_add(p, lanes_all(1)), n);
}

/* 1 / (1 + e^-x) */
static inline lanes lanes_sigmoid(lanes x) {
  lanes one = lanes_all(1);
  return lanes_div(one, lanes_add(one, lanes_exp(lanes_sub(lanes_zero(), x))));
}

/* x / (1 + e^-x) */
static inline lanes lanes_silu(lanes x) {
  return lanes_div(x, lanes_add(lanes_all(1), lanes_exp(lanes_sub(lanes_zero(), x))));
}

/*
 * log(1 + e^x) = max(x, 0) + log1p(u) with u = e^-|x|, and log1p(u) = 2 artanh(s) with
 * s = u / (2 + u) <= 1/3, whose series in s^2 is cut by interpolation (error 1e-10).
 */
static inline lanes lanes_softplus(lanes x) {
  lanes u = lanes_exp(lanes_sub(lanes_zero(), lanes_abs(x)));
  lanes s = lanes_div(u, lanes_add(lanes_all(2), u));
  lanes w = lanes_mul(s, s);
  lanes p = lanes_all(0.12196954f);
  p = lanes_fma(p, w, lanes_all(0.10699280f));
  p = lanes_fma(p, w, lanes_all(0.14310104f));
  p = lanes_fma(p, w, lanes_all(0.19999356f));
  p = lanes_fma(p, w, lanes_all(0.33333340f));
  s = lanes_add(s, s);
  return lanes_add(lanes_max(lanes_zero(), x), lanes_fma(lanes_mul(s, w), p, s));
}
