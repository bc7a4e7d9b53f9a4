package dev.qnext.suites;

import dev.qnext.backend.Rope;
import dev.qnext.backend.StateShape;

/**
 * The operations of the seam as formulas in f64, one number after the other: what every backend's
 * kernels are compared with on shapes that no golden vector has. Tested against the golden vectors
 * by {@link DefinitionsTest}.
 *
 * <p>Source: transformers modular_qwen3_next.py. All matrices are row-major.
 */
final class Definitions {
  private Definitions() {}

  /** x [T, n] times the transpose of w [rows, n]. */
  static double[] matmul(double[] x, double[] w, int n) {
    int tokens = x.length / n;
    int rows = w.length / n;
    double[] out = new double[tokens * rows];
    for (int t = 0; t < tokens; t++) {
      for (int r = 0; r < rows; r++) {
        for (int i = 0; i < n; i++) {
          out[t * rows + r] += x[t * n + i] * w[r * n + i];
        }
      }
    }
    return out;
  }

  static double[] rmsNorm(double[] x, double[] weight, double eps) {
    int n = weight.length;
    double[] out = new double[x.length];
    for (int from = 0; from < x.length; from += n) {
      double squares = 0;
      for (int i = 0; i < n; i++) {
        squares += x[from + i] * x[from + i];
      }
      for (int i = 0; i < n; i++) {
        out[from + i] = x[from + i] / Math.sqrt(squares / n + eps) * weight[i];
      }
    }
    return out;
  }

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  static double silu(double x) {
    return x * sigmoid(x);
  }

  static double logDecay(double a, double aLog, double dtBias) {
    return -Math.exp(aLog) * Math.log1p(Math.exp(a + dtBias));
  }

  /** Turns the pairs (i, i + half) of one head; the angle is an f32 product, as in transformers. */
  static void rotate(double[] x, int from, Rope rope, int position) {
    int half = rope.rotaryDim() / 2;
    for (int i = 0; i < half; i++) {
      double angle = position * rope.inverseFrequency()[i];
      double cos = Math.cos(angle) * rope.attentionFactor();
      double sin = Math.sin(angle) * rope.attentionFactor();
      double a = x[from + i];
      double b = x[from + half + i];
      x[from + i] = a * cos - b * sin;
      x[from + half + i] = b * cos + a * sin;
    }
  }

  /**
   * Gated attention from an empty state: qGate [T, heads * 2 * dim], k and v [T, kvHeads * dim].
   */
  static double[] attention(
      int heads,
      int kvHeads,
      int dim,
      Rope rope,
      double[] qNorm,
      double[] kNorm,
      double eps,
      double[] qGate,
      double[] k,
      double[] v) {
    int tokens = k.length / (kvHeads * dim);
    double[] keys = rmsNorm(k, kNorm, eps);
    double[] queries = rmsNorm(qGate, qNorm, eps); // every other head is a gate, and not used
    for (int t = 0; t < tokens; t++) {
      for (int h = 0; h < kvHeads; h++) {
        rotate(keys, (t * kvHeads + h) * dim, rope, t);
      }
      for (int h = 0; h < heads; h++) {
        rotate(queries, (t * heads + h) * 2 * dim, rope, t);
      }
    }
    double[] out = new double[tokens * heads * dim];
    for (int t = 0; t < tokens; t++) {
      for (int h = 0; h < heads; h++) {
        int q = (t * heads + h) * 2 * dim;
        int kvHead = h * kvHeads / heads;
        double[] weights = new double[t + 1];
        double sum = 0;
        for (int p = 0; p <= t; p++) {
          double score = 0;
          for (int d = 0; d < dim; d++) {
            score += queries[q + d] * keys[(p * kvHeads + kvHead) * dim + d];
          }
          weights[p] = Math.exp(score / Math.sqrt(dim));
          sum += weights[p];
        }
        for (int d = 0; d < dim; d++) {
          double mixed = 0;
          for (int p = 0; p <= t; p++) {
            mixed += weights[p] / sum * v[(p * kvHeads + kvHead) * dim + d];
          }
          out[(t * heads + h) * dim + d] = mixed * sigmoid(qGate[q + dim + d]);
        }
      }
    }
    return out;
  }

  /**
   * Causal convolution and silu: x [T, channels], kernel [channels, taps], past [taps - 1,
   * channels].
   */
  static double[] convolution(double[] x, double[] kernel, double[] past, int channels) {
    int taps = kernel.length / channels;
    double[] all = new double[past.length + x.length];
    System.arraycopy(past, 0, all, 0, past.length);
    System.arraycopy(x, 0, all, past.length, x.length);
    double[] out = new double[x.length];
    for (int i = 0; i < out.length; i++) {
      double sum = 0;
      for (int tap = 0; tap < taps; tap++) {
        sum += kernel[i % channels * taps + tap] * all[i + tap * channels];
      }
      out[i] = silu(sum);
    }
    return out;
  }

  /**
   * The gated delta rule: q and k [T, keyHeads, keyDim] raw, v [T, valueHeads, valueDim], g and
   * beta [T, valueHeads]; s [valueHeads, keyDim, valueDim] is changed.
   */
  static double[] deltaRule(
      StateShape.Delta shape,
      double[] q,
      double[] k,
      double[] v,
      double[] g,
      double[] beta,
      double[] s) {
    int keyDim = shape.keyDim();
    int valueDim = shape.valueDim();
    int heads = shape.valueHeads();
    double[] out = new double[v.length];
    for (int t = 0; t < v.length / (heads * valueDim); t++) {
      for (int h = 0; h < heads; h++) {
        int key = (t * shape.keyHeads() + h * shape.keyHeads() / heads) * keyDim;
        double[] qn = l2Norm(q, key, keyDim, 1 / Math.sqrt(keyDim));
        double[] kn = l2Norm(k, key, keyDim, 1);
        double decay = Math.exp(g[t * heads + h]);
        for (int j = 0; j < valueDim; j++) {
          int value = (t * heads + h) * valueDim + j;
          double read = 0;
          for (int i = 0; i < keyDim; i++) {
            int at = (h * keyDim + i) * valueDim + j;
            s[at] *= decay;
            read += s[at] * kn[i];
          }
          double delta = beta[t * heads + h] * (v[value] - read);
          for (int i = 0; i < keyDim; i++) {
            int at = (h * keyDim + i) * valueDim + j;
            s[at] += delta * kn[i];
            out[value] += s[at] * qn[i];
          }
        }
      }
    }
    return out;
  }

  private static double[] l2Norm(double[] x, int from, int n, double factor) {
    double squares = 0;
    for (int i = 0; i < n; i++) {
      squares += x[from + i] * x[from + i];
    }
    double[] out = new double[n];
    for (int i = 0; i < n; i++) {
      out[i] = x[from + i] / Math.sqrt(squares + 1e-6) * factor;
    }
    return out;
  }

  /** The gated delta net from an empty state: qkvz [T, q | k | v | z], ba [T, b | a]. */
  static double[] deltaNet(
      StateShape.Delta shape,
      double[] kernel,
      double[] aLog,
      double[] dtBias,
      double[] norm,
      double eps,
      double[] qkvz,
      double[] ba) {
    int heads = shape.valueHeads();
    int keys = shape.keyHeads() * shape.keyDim();
    int values = heads * shape.valueDim();
    int channels = shape.channels();
    int width = channels + values;
    double[] mixed =
        convolution(
            columns(qkvz, width, 0, channels),
            kernel,
            new double[(shape.kernel() - 1) * channels],
            channels);
    double[] b = columns(ba, 2 * heads, 0, heads);
    double[] a = columns(ba, 2 * heads, heads, heads);
    for (int i = 0; i < a.length; i++) {
      a[i] = logDecay(a[i], aLog[i % heads], dtBias[i % heads]);
      b[i] = sigmoid(b[i]);
    }
    double[] o =
        deltaRule(
            shape,
            columns(mixed, channels, 0, keys),
            columns(mixed, channels, keys, keys),
            columns(mixed, channels, 2 * keys, values),
            a,
            b,
            new double[values * shape.keyDim()]);
    return gatedNorm(o, columns(qkvz, width, channels, values), norm, eps);
  }

  static double[] gatedNorm(double[] x, double[] gate, double[] weight, double eps) {
    double[] out = rmsNorm(x, weight, eps);
    for (int i = 0; i < out.length; i++) {
      out[i] *= silu(gate[i]);
    }
    return out;
  }

  /** What an expert's weights are multiplied with, 0 for the experts that are not chosen. */
  static double[] route(double[] logits, int chosen, boolean renormalise) {
    double[] probability = new double[logits.length];
    double sum = 0;
    for (int e = 0; e < logits.length; e++) {
      probability[e] = Math.exp(logits[e]);
      sum += probability[e];
    }
    double kept = 0;
    for (int e = 0; e < logits.length; e++) {
      int better = 0;
      for (int other = 0; other < logits.length; other++) {
        if (logits[other] > logits[e] || logits[other] == logits[e] && other < e) {
          better++;
        }
      }
      probability[e] = better < chosen ? probability[e] / sum : 0;
      kept += probability[e];
    }
    for (int e = 0; renormalise && e < logits.length; e++) {
      probability[e] /= kept;
    }
    return probability;
  }

  /** down(silu(gate x) * up x), with x [T, n]. */
  static double[] swiglu(double[] x, double[] gate, double[] up, double[] down, int n) {
    double[] inner = matmul(x, gate, n);
    double[] other = matmul(x, up, n);
    for (int i = 0; i < inner.length; i++) {
      inner[i] = silu(inner[i]) * other[i];
    }
    return matmul(inner, down, gate.length / n);
  }

  private static double[] columns(double[] x, int width, int from, int count) {
    double[] out = new double[x.length / width * count];
    for (int i = 0; i < out.length; i++) {
      out[i] = x[i / count * width + from + i % count];
    }
    return out;
  }

  /** A norm's factors from its stored, zero-centred numbers. */
  static double[] onePlus(float[] norm) {
    double[] out = widened(norm);
    for (int i = 0; i < out.length; i++) {
      out[i] += 1;
    }
    return out;
  }

  static double[] widened(float[] x) {
    double[] out = new double[x.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = x[i];
    }
    return out;
  }
}
