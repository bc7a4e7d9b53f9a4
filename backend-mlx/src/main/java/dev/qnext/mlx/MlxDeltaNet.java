package dev.qnext.mlx;

import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.Pass;
import dev.qnext.backend.StateShape;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxFunction;
import dev.qnext.mlx.face.MlxType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gated delta net of one layer: what its weights fold to, and its graph, all in f32 between the
 * projections.
 *
 * <pre>
 * S = g S;  delta = beta (v - S k);  S = S + delta k^T;  o = S q
 * </pre>
 *
 * Decode and verify take the tokens one by one in this form; prefill takes {@link #CHUNK} at a time
 * by matrix products. The state is [1, groups, rows, keyDim]: a group is one key head, its rows are
 * those of all its value heads. Source: arXiv 2412.06464, transformers modular_qwen3_next.py.
 */
final class MlxDeltaNet {
  private static final int CHUNK = 64;

  private final Mlx mlx;
  private final MlxType type;
  private final StateShape.Delta shape;
  private final int groups;
  private final int perGroup;
  private final int keyDim;
  private final int valueDim;
  private final int keys;
  private final int values;
  private final float normEps;
  private final float l2Eps;
  private final List<MlxArray> taps = new ArrayList<>();
  private final MlxArray l2Scale;
  private final MlxArray isBeta;
  private final MlxArray minusA;
  private final MlxArray bias;
  private final MlxArray biasOfRows;
  private final MlxArray zero;
  private final MlxArray norm;
  private final MlxTriangles triangles;
  private final MlxFunction convolve;
  private final MlxFunction gates;
  private final MlxFunction gated;
  private final MlxFunction write;

  /** All of it for the few tokens of a decode or verify pass. */
  private final MlxFunction recurrent;

  MlxDeltaNet(Mlx mlx, DeltaArgs args, MlxType type) {
    this.mlx = mlx;
    this.type = type;
    this.shape = args.shape();
    this.groups = shape.keyHeads();
    this.perGroup = shape.valueHeads() / shape.keyHeads();
    this.keyDim = shape.keyDim();
    this.valueDim = shape.valueDim();
    this.keys = groups * keyDim;
    this.values = shape.valueHeads() * valueDim;
    MlxWeights home = MlxVector.of(args.norm()).home();

    float[] conv = MlxVector.of(args.conv1d()).values();
    for (int k = 0; k < shape.kernel(); k++) {
      float[] tap = new float[shape.channels()];
      for (int c = 0; c < tap.length; c++) {
        tap[c] = conv[c * shape.kernel() + k];
      }
      taps.add(home.constant(tap, 1, tap.length));
    }

    // L2 norm is RMS norm over sqrt(keyDim), its epsilon in the mean. The query's further
    // 1 / sqrt(keyDim) goes through S to the output, where the norm takes it out but for its
    // epsilon.
    this.l2Eps = 1e-6f / keyDim;
    float[] scale = new float[keyDim];
    Arrays.fill(scale, (float) (1 / Math.sqrt(keyDim)));
    this.l2Scale = home.constant(scale, keyDim);
    this.normEps = args.eps() * keyDim;
    this.norm = home.constant(MlxVector.of(args.norm()).values(), valueDim);

    // A row of ba holds b, then a: beta = sigmoid(b), and log g = -exp(A_log) softplus(a +
    // dt_bias).
    int heads = shape.valueHeads();
    float[] minus = new float[2 * heads];
    float[] biases = new float[2 * heads];
    float[] biasesOfRows = new float[2 * heads * valueDim];
    int[] beta = new int[2 * heads];
    for (int h = 0; h < heads; h++) {
      beta[h] = 1;
      minus[heads + h] = (float) -Math.exp(MlxVector.of(args.aLog()).values()[h]);
      int a = heads + h;
      biases[a] = MlxVector.of(args.dtBias()).values()[h];
      Arrays.fill(biasesOfRows, a * valueDim, (a + 1) * valueDim, biases[a]);
    }
    this.minusA = home.constant(minus, 1, 2, groups, perGroup, 1);
    this.bias = home.constant(biases, 1, 2, groups, perGroup, 1);
    this.biasOfRows = home.constant(biasesOfRows, 1, 2, groups, perGroup, valueDim);
    this.isBeta =
        home.constant(
            mlx.asType(mlx.array(beta, MlxType.INT32, 1, 2, groups, perGroup, 1), MlxType.BOOL));
    this.zero = home.constant(new float[1], 1);

    this.triangles = MlxTriangles.of(mlx, home, CHUNK);
    this.convolve =
        home.elementWise(in -> {
          MlxArray sum = mlx.multiply(mlx.asType(in[0], MlxType.FLOAT32), taps.getFirst());
          for (int k = 1; k < in.length; k++) {
            sum = mlx.add(sum, mlx.multiply(mlx.asType(in[k], MlxType.FLOAT32), taps.get(k)));
          }
          return new MlxArray[] {mlx.multiply(sum, mlx.sigmoid(sum))};
        });
    this.gates = home.elementWise(in -> new MlxArray[] {gates(in[0], in[1])});
    this.gated =
        home.elementWise(in -> {
          MlxArray z = mlx.asType(in[1], MlxType.FLOAT32);
          MlxArray gate = mlx.multiply(z, mlx.sigmoid(z));
          return new MlxArray[] {mlx.asType(mlx.multiply(in[0], gate), type)};
        });
    this.write =
        home.elementWise(in -> new MlxArray[] {write(in[0], in[1], in[2], in[3], in[4], in[5])});
    this.recurrent =
        home.function(in -> recurrent(in[0], in[1], in[2], List.of(in).subList(3, in.length)));
  }

  static MlxDeltaNet of(Mlx mlx, DeltaArgs args, MlxType type) {
    return MlxVector.of(args.norm())
        .home()
        .piece(args, MlxDeltaNet.class, () -> new MlxDeltaNet(mlx, args, type));
  }

  /**
   * What the recurrence reads of T tokens: queries and keys [T, 2 groups, keyDim], values [T,
   * values].
   */
  private record Inputs(MlxArray qk, MlxArray v) {}

  /**
   * What one token does to the state: S k, k, v, log g and beta, shaped to meet the state element
   * by element.
   */
  record Step(List<MlxArray> arrays) {
    static final int SIZE = 5;

    Step(MlxArray read, MlxArray k, MlxArray v, MlxArray logDecay, MlxArray beta) {
      this(List.of(read, k, v, logDecay, beta));
    }

    MlxArray read() {
      return arrays.get(0);
    }

    MlxArray k() {
      return arrays.get(1);
    }

    MlxArray v() {
      return arrays.get(2);
    }

    MlxArray logDecay() {
      return arrays.get(3);
    }

    MlxArray beta() {
      return arrays.get(4);
    }
  }

  /**
   * @param qkvz [T, q | k | v | z]
   * @param ba [T, b | a]
   * @return [T, values]
   */
  MlxArray mix(MlxArray qkvz, MlxArray ba, int tokens, Pass pass, MlxRecurrence state) {
    if (pass == Pass.VERIFY || tokens == 1) {
      MlxArray[] in = new MlxArray[3 + state.past().size()];
      in[0] = qkvz;
      in[1] = ba;
      in[2] = state.base();
      for (int i = 0; i < state.past().size(); i++) {
        in[3 + i] = state.past().get(i);
      }
      MlxArray[] out = recurrent.apply(in);
      List<MlxArray> rows = List.of(out).subList(2, 2 + tokens);
      List<Step> steps = new ArrayList<>();
      for (int at = 2 + tokens; at < out.length; at += Step.SIZE) {
        steps.add(new Step(List.of(out).subList(at, at + Step.SIZE)));
      }
      state.read(rows, out[1], steps);
      return out[0];
    }
    Inputs x = inputs(qkvz, state.past(), tokens);
    MlxArray[] out = chunked(x, gates(ba, bias, tokens), state.base(), tokens);
    state.read(last(mlx.slice(qkvz, 1, 0, shape.channels()), tokens), out[1], List.of());
    return finish(out[0], qkvz, tokens);
  }

  /**
   * Token by token.
   *
   * @return the output, the state behind, each token's row of the convolution's input, and, if
   *     there are several tokens, what each did to the state, for a pass of which only some are
   *     kept
   */
  private MlxArray[] recurrent(MlxArray qkvz, MlxArray ba, MlxArray base, List<MlxArray> past) {
    int tokens = mlx.dimension(qkvz, 0);
    Inputs x = inputs(qkvz, past, tokens);
    MlxArray g =
        mlx.reshape(gates(ba, biasOfRows, tokens), 2 * tokens, groups, perGroup * valueDim, 1);
    List<MlxArray> rows = new ArrayList<>();
    List<MlxArray> recorded = new ArrayList<>();
    MlxArray[] o = new MlxArray[tokens];
    MlxArray s = base;
    for (int t = 0; t < tokens; t++) {
      Token token = token(x, g, t);
      Step step = step(s, token);
      s = replay(s, step);
      o[t] = mlx.reshape(mlx.matmul(s, token.q), 1, shape.valueHeads(), valueDim);
      rows.add(mlx.slice(row(qkvz, t), 1, 0, shape.channels()));
      if (tokens > 1) {
        recorded.addAll(step.arrays);
      }
    }
    List<MlxArray> out = new ArrayList<>();
    out.add(finish(tokens == 1 ? o[0] : mlx.concatenate(0, o), qkvz, tokens));
    out.add(s);
    out.addAll(rows);
    out.addAll(recorded);
    return out.toArray(MlxArray[]::new);
  }

  /** The last rows that the convolution will need, apart from the rest, which may be large. */
  private List<MlxArray> last(MlxArray rows, int tokens) {
    List<MlxArray> last = new ArrayList<>();
    for (int t = Math.max(0, tokens - (shape.kernel() - 1)); t < tokens; t++) {
      last.add(mlx.contiguous(mlx.slice(rows, 0, t, t + 1)));
    }
    return last;
  }

  /** Convolution with silu, and norms. */
  private Inputs inputs(MlxArray qkvz, List<MlxArray> past, int tokens) {
    List<MlxArray> rows = new ArrayList<>(past);
    rows.add(mlx.slice(qkvz, 1, 0, shape.channels()));
    if (tokens > 1) {
      // The rows that each tap meets.
      MlxArray all = mlx.concatenate(0, rows.toArray(MlxArray[]::new));
      for (int k = 0; k < shape.kernel(); k++) {
        rows.set(k, mlx.slice(all, 0, k, k + tokens));
      }
    }
    MlxArray qkv = convolve.apply(rows.toArray(MlxArray[]::new))[0];
    MlxArray qk =
        mlx.rmsNorm(
            mlx.reshape(mlx.slice(qkv, 1, 0, 2 * keys), tokens, 2 * groups, keyDim),
            l2Scale,
            l2Eps);
    return new Inputs(qk, mlx.slice(qkv, 1, 2 * keys, 2 * keys + values));
  }

  /**
   * beta and the logarithm of the decay, [T, 2, groups, perGroup, 1]; in place of the 1 as many
   * equal numbers as the bias has.
   */
  private MlxArray gates(MlxArray ba, MlxArray addend, int tokens) {
    return gates.apply(mlx.reshape(ba, tokens, 2, groups, perGroup, 1), addend)[0];
  }

  private MlxArray gates(MlxArray ba, MlxArray addend) {
    MlxArray x = mlx.asType(ba, MlxType.FLOAT32);
    MlxArray softplus = mlx.logAddExp(mlx.add(x, addend), zero);
    return mlx.where(isBeta, mlx.sigmoid(x), mlx.multiply(minusA, softplus));
  }

  private MlxArray row(MlxArray a, int t) {
    return mlx.dimension(a, 0) == 1 ? a : mlx.slice(a, 0, t, t + 1);
  }

  /**
   * One token's part of the inputs: q and k as columns [1, groups, keyDim, 1], the rest [1, groups,
   * rows, 1] like the state's.
   */
  private record Token(MlxArray q, MlxArray k, MlxArray v, MlxArray beta, MlxArray logDecay) {}

  private Token token(Inputs x, MlxArray gates, int t) {
    MlxArray qk = mlx.reshape(row(x.qk, t), 2, groups, keyDim, 1);
    return new Token(
        mlx.slice(qk, 0, 0, 1),
        mlx.slice(qk, 0, 1, 2),
        mlx.reshape(row(x.v, t), 1, groups, perGroup * valueDim, 1),
        mlx.slice(gates, 0, 2 * t, 2 * t + 1),
        mlx.slice(gates, 0, 2 * t + 1, 2 * t + 2));
  }

  private Step step(MlxArray s, Token x) {
    MlxArray kT = mlx.reshape(x.k, 1, groups, 1, keyDim);
    return new Step(mlx.matmul(s, x.k), kT, x.v, x.logDecay, x.beta);
  }

  /**
   * g S + beta (v - g S k) k^T, one element-wise piece. Done again for a pass of which some tokens
   * are kept, it is the same arithmetic on the same numbers.
   */
  MlxArray replay(MlxArray s, Step step) {
    return write.apply(s, step.read(), step.k(), step.v(), step.logDecay(), step.beta())[0];
  }

  private MlxArray write(
      MlxArray s, MlxArray read, MlxArray k, MlxArray v, MlxArray logDecay, MlxArray beta) {
    MlxArray g = mlx.exp(logDecay);
    MlxArray delta = mlx.multiply(beta, mlx.subtract(v, mlx.multiply(g, read)));
    return mlx.add(mlx.multiply(g, s), mlx.multiply(delta, k));
  }

  /**
   * norm(o) * silu(z) for o [T, valueHeads, valueDim], in the type of the activations: [T, values].
   */
  private MlxArray finish(MlxArray o, MlxArray qkvz, int tokens) {
    MlxArray normed = mlx.reshape(mlx.rmsNorm(o, norm, normEps), tokens, values);
    MlxArray z = mlx.slice(qkvz, 1, shape.channels(), shape.channels() + values);
    return gated.apply(normed, z)[0];
  }

  // --------------------------------------------------------------------------------------- prefill

  /**
   * The same recurrence by chunks. Inside a chunk the deltas of all tokens solve (I + A) delta =
   * beta (v - ...) with A strictly lower triangular, so the tokens are one after another only from
   * chunk to chunk.
   *
   * @return o [T, valueHeads, valueDim] and the state behind
   */
  private MlxArray[] chunked(Inputs x, MlxArray betaDecay, MlxArray base, int tokens) {
    int chunks = (tokens + CHUNK - 1) / CHUNK;
    // Padding reads nothing: its k, v and beta are 0 and its decay is 1.
    MlxArray[] qk = mlx.split(x.qk, 2, 1);
    MlxArray[] gates = mlx.split(betaDecay, 2, 1);
    MlxArray q = grouped(qk[0], tokens, chunks, 1, keyDim);
    MlxArray k = grouped(qk[1], tokens, chunks, 1, keyDim);
    MlxArray v = grouped(x.v, tokens, chunks, perGroup, valueDim);
    MlxArray beta = grouped(gates[0], tokens, chunks, perGroup, 1);
    MlxArray gamma =
        mlx.cumulativeSum(grouped(gates[1], tokens, chunks, perGroup, 1), 3, false, true);

    MlxArray decay =
        mlx.exp(
            mlx.add(mlx.subtract(gamma, mlx.transpose(gamma, 0, 1, 2, 4, 3)), triangles.causal()));
    MlxArray kT = mlx.transpose(k, 0, 1, 2, 4, 3);
    MlxArray a =
        mlx.multiply(
            mlx.multiply(mlx.matmul(k, kT), mlx.multiply(decay, beta)), triangles.strictlyLower());
    MlxArray inverse = triangles.inverse(a);
    MlxArray fromStart = mlx.exp(gamma);
    MlxArray written = mlx.matmul(inverse, mlx.multiply(v, beta));
    MlxArray reads = mlx.matmul(inverse, mlx.multiply(k, mlx.multiply(beta, fromStart)));
    MlxArray scores = mlx.multiply(mlx.matmul(q, kT), decay);
    MlxArray queries = mlx.multiply(q, fromStart);
    MlxArray end = mlx.slice(gamma, 3, CHUNK - 1, CHUNK);
    MlxArray toEnd = mlx.multiply(k, mlx.exp(mlx.subtract(end, gamma)));
    MlxArray whole = mlx.exp(end);

    MlxArray s = mlx.reshape(base, groups, perGroup, valueDim, keyDim);
    MlxArray[] o = new MlxArray[chunks];
    for (int c = 0; c < chunks; c++) {
      MlxArray sT = mlx.transpose(s, 0, 1, 3, 2);
      MlxArray delta = mlx.subtract(chunk(written, c), mlx.matmul(chunk(reads, c), sT));
      o[c] = mlx.add(mlx.matmul(chunk(queries, c), sT), mlx.matmul(chunk(scores, c), delta));
      s =
          mlx.add(
              mlx.multiply(s, chunk(whole, c)),
              mlx.matmul(mlx.transpose(delta, 0, 1, 3, 2), chunk(toEnd, c)));
    }
    MlxArray all = mlx.transpose(mlx.concatenate(2, o), 2, 0, 1, 3);
    return new MlxArray[] {
      mlx.reshape(mlx.slice(all, 0, 0, tokens), tokens, shape.valueHeads(), valueDim),
      mlx.reshape(s, 1, groups, perGroup * valueDim, keyDim)
    };
  }

  /** [T, groups * heads * width] to [groups, heads, chunks, CHUNK, width], padded with zeros. */
  private MlxArray grouped(MlxArray x, int tokens, int chunks, int heads, int width) {
    MlxArray flat = mlx.reshape(x, tokens, groups * heads * width);
    int padding = chunks * CHUNK - tokens;
    if (padding > 0) {
      flat = mlx.concatenate(0, flat, mlx.zeros(MlxType.FLOAT32, padding, groups * heads * width));
    }
    return mlx.transpose(mlx.reshape(flat, chunks, CHUNK, groups, heads, width), 2, 3, 0, 1, 4);
  }

  private MlxArray chunk(MlxArray a, int c) {
    int heads = mlx.dimension(a, 1);
    return mlx.reshape(
        mlx.slice(a, 2, c, c + 1), groups, heads, mlx.dimension(a, 3), mlx.dimension(a, 4));
  }
}
