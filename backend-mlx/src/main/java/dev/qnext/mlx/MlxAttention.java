package dev.qnext.mlx;

import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.State;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.Mlx.Mask;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxFunction;

/** Gated attention of one layer: what its arguments fold to, and its graph. */
final class MlxAttention {
  /**
   * Keys from which on a prefill insists on the kernel without a score matrix: slower, but the
   * matrix of a pass of 2048 tokens takes 16 heads x 2048 x keys x 2 bytes.
   */
  private static final int FUSED_FROM = 8192;

  private final Mlx mlx;
  private final AttentionArgs args;
  private final MlxArray qNorm;
  private final MlxArray kNorm;
  private final MlxArray periods;
  private final MlxFunction gated;
  private boolean fused;

  MlxAttention(Mlx mlx, AttentionArgs args) {
    this.mlx = mlx;
    this.args = args;
    this.fused = mlx.device() == MlxDevice.GPU;
    MlxWeights home = MlxVector.of(args.qNorm()).home();
    this.qNorm = norm(home, MlxVector.of(args.qNorm()));
    this.kNorm = norm(home, MlxVector.of(args.kNorm()));
    float[] frequencies = args.rope().inverseFrequency();
    float[] reciprocals = new float[frequencies.length];
    for (int i = 0; i < reciprocals.length; i++) {
      reciprocals[i] = (float) (1.0 / frequencies[i]);
    }
    this.periods = home.constant(reciprocals, reciprocals.length);
    this.gated = home.elementWise(in -> new MlxArray[] {mlx.multiply(in[0], mlx.sigmoid(in[1]))});
  }

  static MlxAttention of(Mlx mlx, AttentionArgs args) {
    return MlxVector.of(args.qNorm())
        .home()
        .piece(args, MlxAttention.class, () -> new MlxAttention(mlx, args));
  }

  /** YaRN's factor on cos and sin is a factor on what is turned, so the norm before carries it. */
  private MlxArray norm(MlxWeights home, MlxVector norm) {
    float factor = args.rope().attentionFactor();
    if (factor == 1) {
      return norm.array();
    }
    float[] values = norm.values().clone();
    for (int i = 0; i < args.rope().rotaryDim(); i++) {
      values[i] *= factor;
    }
    return home.constant(mlx.asType(mlx.array(values, values.length), mlx.type(norm.array())));
  }

  /**
   * @param qGate [T, heads * 2 * headDim]
   * @param k [T, kvHeads * headDim]; v likewise
   * @return [T, heads * headDim]
   */
  MlxArray attend(
      MlxArray qGate, MlxArray k, MlxArray v, int tokens, MlxKeyValues cache, int first) {
    int heads = args.heads();
    int dim = args.headDim();
    MlxArray both = headsFirst(qGate, tokens, heads, 2 * dim);
    MlxArray gate = mlx.slice(both, 3, dim, 2 * dim);
    MlxArray q = mlx.rmsNorm(mlx.slice(both, 3, 0, dim), qNorm, args.eps());
    MlxArray keys = mlx.rmsNorm(headsFirst(k, tokens, args.kvHeads(), dim), kNorm, args.eps());
    MlxArray values = headsFirst(v, tokens, args.kvHeads(), dim);
    int turned = args.rope().rotaryDim();
    cache.append(mlx.rope(keys, turned, first, periods), values, first, tokens);
    int length = first + tokens;
    q = mlx.rope(q, turned, first, periods);
    MlxArray o = attend(q, cache.keys(length), cache.values(length), tokens, length);
    MlxArray out = gated.apply(o, gate)[0];
    return mlx.reshape(tokens == 1 ? out : mlx.transpose(out, 0, 2, 1, 3), tokens, heads * dim);
  }

  private MlxArray attend(MlxArray q, MlxArray keys, MlxArray values, int tokens, int length) {
    float scale = (float) (1 / Math.sqrt(args.headDim()));
    Mask mask = tokens == 1 ? Mask.ALL : Mask.CAUSAL;
    // The scores of a few tokens are small, and for some counts that kernel does not exist.
    if (fused && tokens > State.MAX_VERIFY && length > FUSED_FROM) {
      try {
        return mlx.attention(q, keys, values, scale, mask, true);
      } catch (MlxException e) {
        fused = false; // no such kernel for this shape
      }
    }
    return mlx.attention(q, keys, values, scale, mask, false);
  }

  /** [T, heads * D] to [1, heads, T, D]; for one token the same numbers in the same order. */
  private MlxArray headsFirst(MlxArray x, int tokens, int heads, int dim) {
    return tokens == 1
        ? mlx.reshape(x, 1, heads, 1, dim)
        : mlx.transpose(mlx.reshape(x, 1, tokens, heads, dim), 0, 2, 1, 3);
  }
}
