package dev.qnext.backend.reference;

import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.Rope;
import dev.qnext.backend.reference.ReferenceState.KeyValues;

/**
 * Gated causal attention over cached keys and values, one query at a time in the order of
 * positions.
 */
final class Attention {
  private Attention() {}

  /**
   * @param qGate [T, heads * 2 * headDim], per head query then gate
   * @param k [T, kvHeads * headDim]; v likewise
   * @param cache receives k and v at the positions {@code first} to first + T - 1
   */
  static Floats attend(
      AttentionArgs args, Floats qGate, Floats k, Floats v, KeyValues cache, int first) {
    int tokens = qGate.rows();
    int heads = args.heads();
    int dim = args.headDim();
    int kvHeads = args.kvHeads();
    int kvWidth = kvHeads * dim;
    float[] kNorm = ReferenceWeights.Vector.of(args.kNorm());
    float[] qNorm = ReferenceWeights.Vector.of(args.qNorm());
    cache.reserve(first + tokens);
    float[] keys = cache.keys();
    float[] values = cache.values();
    for (int t = 0; t < tokens; t++) {
      int at = (first + t) * kvWidth;
      for (int h = 0; h < kvHeads; h++) {
        int head = at + h * dim;
        Arithmetic.rmsNorm(k.values(), t * kvWidth + h * dim, kNorm, args.eps(), keys, head, dim);
        rotate(args.rope(), keys, head, first + t);
      }
      System.arraycopy(v.values(), t * kvWidth, values, at, kvWidth);
    }
    float[] out = new float[tokens * heads * dim];
    Parallel.run(
        tokens * heads,
        2L * (first + tokens) * dim,
        (from, to) -> {
          float[] query = new float[dim];
          float[] scores = new float[first + tokens];
          for (int i = from; i < to; i++) {
            int t = i / heads;
            int h = i % heads;
            int in = (t * heads + h) * 2 * dim;
            Arithmetic.rmsNorm(qGate.values(), in, qNorm, args.eps(), query, 0, dim);
            rotate(args.rope(), query, 0, first + t);
            int kvHead = h / (heads / kvHeads) * dim;
            int head = (t * heads + h) * dim;
            weighted(query, keys, values, kvHead, kvWidth, first + t + 1, scores, out, head);
            for (int d = 0; d < dim; d++) {
              out[head + d] *= Arithmetic.sigmoid(qGate.values()[in + dim + d]);
            }
          }
        });
    return new Floats(tokens, heads * dim, out);
  }

  /** out = sum over positions of softmax(query . key / sqrt(dim)) * value. */
  private static void weighted(
      float[] query,
      float[] keys,
      float[] values,
      int head,
      int stride,
      int positions,
      float[] scores,
      float[] out,
      int outFrom) {
    int dim = query.length;
    float scale = (float) (1 / Math.sqrt(dim));
    float max = Float.NEGATIVE_INFINITY;
    for (int p = 0; p < positions; p++) {
      scores[p] = scale * Arithmetic.dot(query, 0, keys, p * stride + head, dim);
      max = Math.max(max, scores[p]);
    }
    float sum = 0;
    for (int p = 0; p < positions; p++) {
      scores[p] = (float) Math.exp(scores[p] - max);
      sum += scores[p];
    }
    for (int p = 0; p < positions; p++) {
      float weight = scores[p] / sum;
      int value = p * stride + head;
      for (int d = 0; d < dim; d++) {
        out[outFrom + d] += weight * values[value + d];
      }
    }
  }

  /** Turns the pairs (i, i + rotaryDim / 2) of the head at {@code from}. */
  static void rotate(Rope rope, float[] x, int from, int position) {
    int half = rope.rotaryDim() / 2;
    for (int i = 0; i < half; i++) {
      float angle = position * rope.inverseFrequency()[i];
      float cos = (float) Math.cos(angle) * rope.attentionFactor();
      float sin = (float) Math.sin(angle) * rope.attentionFactor();
      float a = x[from + i];
      float b = x[from + half + i];
      x[from + i] = a * cos - b * sin;
      x[from + half + i] = b * cos + a * sin;
    }
  }
}
