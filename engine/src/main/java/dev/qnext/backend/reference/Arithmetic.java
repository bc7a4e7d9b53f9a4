package dev.qnext.backend.reference;

/**
 * The small functions that the operations are made of. Every sum has one fixed order, whatever else
 * a pass holds.
 */
final class Arithmetic {
  private Arithmetic() {}

  /** Sum of products: eight interleaved partial sums, added pairwise. */
  static float dot(float[] a, int aFrom, float[] b, int bFrom, int n) {
    float s0 = 0;
    float s1 = 0;
    float s2 = 0;
    float s3 = 0;
    float s4 = 0;
    float s5 = 0;
    float s6 = 0;
    float s7 = 0;
    int i = 0;
    for (; i + 8 <= n; i += 8) {
      int x = aFrom + i;
      int y = bFrom + i;
      s0 += a[x] * b[y];
      s1 += a[x + 1] * b[y + 1];
      s2 += a[x + 2] * b[y + 2];
      s3 += a[x + 3] * b[y + 3];
      s4 += a[x + 4] * b[y + 4];
      s5 += a[x + 5] * b[y + 5];
      s6 += a[x + 6] * b[y + 6];
      s7 += a[x + 7] * b[y + 7];
    }
    for (; i < n; i++) {
      s0 += a[aFrom + i] * b[bFrom + i];
    }
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7));
  }

  static float sigmoid(float x) {
    return (float) (1 / (1 + Math.exp(-x)));
  }

  static float silu(float x) {
    return (float) (x / (1 + Math.exp(-x)));
  }

  /** log(1 + e^x). */
  static float softplus(float x) {
    return x > 20 ? x : (float) Math.log1p(Math.exp(x));
  }

  /** out = x / sqrt(mean(x^2) + eps) * weight, over n numbers. */
  static void rmsNorm(
      float[] x, int xFrom, float[] weight, float eps, float[] out, int outFrom, int n) {
    float scale = (float) (1 / Math.sqrt(dot(x, xFrom, x, xFrom, n) / n + eps));
    for (int i = 0; i < n; i++) {
      out[outFrom + i] = x[xFrom + i] * scale * weight[i];
    }
  }

  /** x = x / sqrt(sum(x^2) + 1e-6) * factor, over n numbers. */
  static void l2Norm(float[] x, int from, int n, float factor) {
    float scale = (float) (1 / Math.sqrt(dot(x, from, x, from, n) + 1e-6f)) * factor;
    for (int i = 0; i < n; i++) {
      x[from + i] *= scale;
    }
  }
}
