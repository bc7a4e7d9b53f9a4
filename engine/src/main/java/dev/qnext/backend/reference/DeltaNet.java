package dev.qnext.backend.reference;

import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.reference.ReferenceState.Recurrence;

/**
 * The gated delta net, token by token. Per value head, with the state S [valueDim, keyDim]:
 *
 * <pre>
 * S = g S;  delta = beta (v - S k);  S = S + delta k^T;  o = S q
 * </pre>
 *
 * where g = exp(-exp(A_log) softplus(a + dt_bias)) and beta = sigmoid(b). Source: arXiv 2412.06464,
 * transformers modular_qwen3_next.py (recurrent form).
 */
final class DeltaNet {
  private DeltaNet() {}

  /**
   * @param qkvz [T, q | k | v | z]
   * @param ba [T, b | a]
   */
  static Floats mix(DeltaArgs args, Floats qkvz, Floats ba, Recurrence state) {
    StateShape.Delta shape = args.shape();
    int tokens = qkvz.rows();
    int channels = shape.channels();
    int keys = shape.keyHeads() * shape.keyDim();
    int valueHeads = shape.valueHeads();
    int values = valueHeads * shape.valueDim();
    float[] qkv = convolve(args, qkvz, state);
    for (int t = 0; t < tokens; t++) {
      for (int h = 0; h < shape.keyHeads(); h++) {
        int q = t * channels + h * shape.keyDim();
        Arithmetic.l2Norm(qkv, q, shape.keyDim(), (float) (1 / Math.sqrt(shape.keyDim())));
        Arithmetic.l2Norm(qkv, q + keys, shape.keyDim(), 1);
      }
    }
    float[] decay = new float[tokens * valueHeads];
    float[] beta = new float[tokens * valueHeads];
    float[] aLog = ReferenceWeights.Vector.of(args.aLog());
    float[] dtBias = ReferenceWeights.Vector.of(args.dtBias());
    for (int t = 0; t < tokens; t++) {
      for (int h = 0; h < valueHeads; h++) {
        int from = t * 2 * valueHeads + h;
        beta[t * valueHeads + h] = Arithmetic.sigmoid(ba.values()[from]);
        decay[t * valueHeads + h] =
            (float) Math.exp(logDecay(ba.values()[from + valueHeads], aLog[h], dtBias[h]));
      }
    }
    float[] out = new float[tokens * values];
    float[] deltas = new float[tokens * values];
    state.record(qkvz, qkv, decay, deltas);
    float[] s = state.writable();
    int perKey = valueHeads / shape.keyHeads();
    Parallel.run(
        valueHeads,
        3L * tokens * shape.valueDim() * shape.keyDim(),
        (from, to) -> {
          for (int h = from; h < to; h++) {
            for (int t = 0; t < tokens; t++) {
              int q = t * channels + h / perKey * shape.keyDim();
              step(
                  s,
                  h * shape.valueDim() * shape.keyDim(),
                  shape,
                  qkv,
                  q,
                  q + keys,
                  t * channels + 2 * keys + h * shape.valueDim(),
                  decay[t * valueHeads + h],
                  beta[t * valueHeads + h],
                  deltas,
                  out,
                  t * values + h * shape.valueDim());
            }
          }
        });
    float[] norm = ReferenceWeights.Vector.of(args.norm());
    for (int t = 0; t < tokens; t++) {
      for (int h = 0; h < valueHeads; h++) {
        int o = t * values + h * shape.valueDim();
        int z = t * (channels + values) + channels + h * shape.valueDim();
        gatedNorm(out, o, qkvz.values(), z, norm, args.eps());
      }
    }
    return new Floats(tokens, values, out);
  }

  /** The logarithm of the decay, at most 0. */
  static float logDecay(float a, float aLog, float dtBias) {
    return (float) -Math.exp(aLog) * Arithmetic.softplus(a + dtBias);
  }

  /**
   * Causal convolution over the channels of q, k, v, then silu: [T, channels]. Tap 0 is on the
   * oldest input.
   */
  static float[] convolve(DeltaArgs args, Floats qkvz, Recurrence state) {
    StateShape.Delta shape = args.shape();
    int channels = shape.channels();
    int taps = shape.kernel();
    float[] kernel = ReferenceWeights.Vector.of(args.conv1d());
    float[] past = state.convolutionInputs();
    float[] out = new float[qkvz.rows() * channels];
    for (int t = 0; t < qkvz.rows(); t++) {
      for (int c = 0; c < channels; c++) {
        float sum = 0;
        for (int k = 0; k < taps; k++) {
          int at = t - (taps - 1) + k;
          float x =
              at < 0
                  ? past[(at + taps - 1) * channels + c]
                  : qkvz.values()[at * qkvz.columns() + c];
          sum += kernel[c * taps + k] * x;
        }
        out[t * channels + c] = Arithmetic.silu(sum);
      }
    }
    return out;
  }

  /** One token of one value head; writes delta and o at {@code outFrom}. */
  static void step(
      float[] s,
      int sFrom,
      StateShape.Delta shape,
      float[] qkv,
      int q,
      int k,
      int v,
      float decay,
      float beta,
      float[] deltas,
      float[] out,
      int outFrom) {
    int dim = shape.keyDim();
    for (int i = 0; i < shape.valueDim(); i++) {
      int row = sFrom + i * dim;
      for (int j = 0; j < dim; j++) {
        s[row + j] *= decay;
      }
      float delta = beta * (qkv[v + i] - Arithmetic.dot(s, row, qkv, k, dim));
      deltas[outFrom + i] = delta;
      for (int j = 0; j < dim; j++) {
        s[row + j] += delta * qkv[k + j];
      }
      out[outFrom + i] = Arithmetic.dot(s, row, qkv, q, dim);
    }
  }

  /** o = norm(o) * silu(z) over one value head, in place. */
  static void gatedNorm(float[] o, int oFrom, float[] z, int zFrom, float[] norm, float eps) {
    Arithmetic.rmsNorm(o, oFrom, norm, eps, o, oFrom, norm.length);
    for (int d = 0; d < norm.length; d++) {
      o[oFrom + d] *= Arithmetic.silu(z[zFrom + d]);
    }
  }
}
