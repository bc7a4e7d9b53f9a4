package dev.qnext.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.Rope;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.reference.ReferenceState.Recurrence;
import dev.qnext.backend.reference.ReferenceWeights.Matrix;
import dev.qnext.backend.reference.ReferenceWeights.Vector;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.RowDecoder;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.fixtures.Comparison;
import dev.qnext.fixtures.ModelFolder;
import dev.qnext.fixtures.OpCases;
import dev.qnext.fixtures.OpCases.Case;
import dev.qnext.fixtures.RawTensor;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The parts of the fused operations against transformers' vectors, where the seam is too coarse to
 * show them: each golden case through the reference's own functions. Formats and products are
 * compared through the seam, by the OperationSuite of the module backend-suites.
 */
class GoldenOperationsTest {
  @TempDir Path folder;

  private static final double LIMIT = OpCases.STATED_ERROR;

  static List<Case> deltaRule() {
    return OpCases.of("gated_delta_rule");
  }

  @ParameterizedTest
  @MethodSource
  void deltaRule(Case c) {
    RawTensor key = c.input("k");
    RawTensor value = c.input("v");
    int tokens = key.size(1);
    StateShape.Delta shape =
        new StateShape.Delta(key.size(2), value.size(2), key.size(3), value.size(3), 4);
    int keys = shape.keyHeads() * shape.keyDim();
    int heads = shape.valueHeads();
    int values = heads * shape.valueDim();
    int channels = shape.channels();
    float[] qkv = new float[tokens * channels];
    for (int t = 0; t < tokens; t++) {
      System.arraycopy(c.input("q").floats(), t * keys, qkv, t * channels, keys);
      System.arraycopy(key.floats(), t * keys, qkv, t * channels + keys, keys);
      System.arraycopy(value.floats(), t * values, qkv, t * channels + 2 * keys, values);
      for (int h = 0; h < shape.keyHeads(); h++) {
        int q = t * channels + h * shape.keyDim();
        Arithmetic.l2Norm(qkv, q, shape.keyDim(), (float) c.number("query_scale"));
        Arithmetic.l2Norm(qkv, q + keys, shape.keyDim(), 1);
      }
    }
    float[] g = c.input("g").floats();
    float[] beta = c.input("beta").floats();
    float[] state = transposed(c.input("state"));
    float[] out = new float[tokens * values];
    for (int t = 0; t < tokens; t++) {
      for (int h = 0; h < heads; h++) {
        int k = t * channels + keys + h / (heads / shape.keyHeads()) * shape.keyDim();
        int v = t * channels + 2 * keys + h * shape.valueDim();
        int o = t * values + h * shape.valueDim();
        float decay = (float) Math.exp(g[t * heads + h]);
        int s = h * shape.valueDim() * shape.keyDim();
        DeltaNet.step(
            state,
            s,
            shape,
            qkv,
            k - keys,
            k,
            v,
            decay,
            beta[t * heads + h],
            new float[values * tokens],
            out,
            o);
      }
    }
    Comparison.assertClose(c + " out", out, c.output("out").floats(), LIMIT);
    Comparison.assertClose(c + " state", state, transposed(c.output("state")), LIMIT);
  }

  /** [1, heads, keyDim, valueDim] to [heads, valueDim, keyDim]. */
  private static float[] transposed(RawTensor state) {
    float[] in = state.floats();
    float[] out = new float[in.length];
    int keyDim = state.size(2);
    int valueDim = state.size(3);
    for (int i = 0; i < in.length; i++) {
      int head = i / (keyDim * valueDim);
      int k = i / valueDim % keyDim;
      out[(head * valueDim + i % valueDim) * keyDim + k] = in[i];
    }
    return out;
  }

  static List<Case> decayGate() {
    return OpCases.of("decay_gate");
  }

  @ParameterizedTest
  @MethodSource
  void decayGate(Case c) {
    float[] a = c.input("a").floats();
    float[] bias = c.input("dt_bias").floats();
    float[] aLog = c.input("A_log").floats();
    float[] g = new float[a.length];
    for (int i = 0; i < g.length; i++) {
      int head = i % bias.length;
      g[i] = DeltaNet.logDecay(a[i], aLog[head], bias[head]);
    }
    Comparison.assertClose(c.name(), g, c.output("g").floats(), LIMIT);
  }

  static List<Case> causalConvolution() {
    return OpCases.of("causal_conv1d");
  }

  @ParameterizedTest
  @MethodSource
  void causalConvolution(Case c) {
    int channels = c.input("x").size(1);
    int tokens = c.input("x").size(2);
    int taps = c.input("weight").size(1);
    StateShape.Delta shape =
        new StateShape.Delta(1, 1, channels / 4, channels - channels / 4 * 2, taps);
    int values = shape.valueDim();
    float[] x = c.input("x").floats();
    float[] qkvz = new float[tokens * (channels + values)];
    for (int t = 0; t < tokens; t++) {
      for (int channel = 0; channel < channels; channel++) {
        qkvz[t * (channels + values) + channel] = x[channel * tokens + t];
      }
    }
    Recurrence state = new Recurrence(shape);
    if (c.inputs().containsKey("state")) {
      float[] past = c.input("state").floats();
      for (int i = 0; i < past.length; i++) {
        state.convolutionInputs()[i % (taps - 1) * channels + i / (taps - 1)] = past[i];
      }
    }
    Vector unused = new Vector("unused", new float[0]);
    Vector kernel = new Vector("conv1d", c.input("weight").floats());
    Floats in = new Floats(tokens, channels + values, qkvz);
    float[] mixed =
        DeltaNet.convolve(new DeltaArgs(shape, kernel, unused, unused, unused, 1e-6f), in, state);
    float[] y = new float[tokens * channels];
    for (int i = 0; i < y.length; i++) {
      y[i] = mixed[i % tokens * channels + i / tokens];
    }
    Comparison.assertClose(c + " y", y, c.output("y").floats(), LIMIT);
    state.record(in, mixed, new float[0], new float[0]);
    state.accept(false, tokens, tokens);
    float[] after = new float[channels * (taps - 1)];
    for (int i = 0; i < after.length; i++) {
      after[i] = state.convolutionInputs()[i % (taps - 1) * channels + i / (taps - 1)];
    }
    Comparison.assertClose(c + " state", after, c.output("state").floats(), 0);
  }

  static List<Case> gatedNorm() {
    return OpCases.of("gated_rms_norm");
  }

  @ParameterizedTest
  @MethodSource
  void gatedNorm(Case c) {
    float[] x = c.input("x").floats();
    int dim = c.input("x").size(1);
    for (int from = 0; from < x.length; from += dim) {
      float[] weight = c.input("weight").floats();
      float[] gate = c.input("gate").floats();
      DeltaNet.gatedNorm(x, from, gate, from, weight, (float) c.number("eps"));
    }
    Comparison.assertClose(c.name(), x, c.output("y").floats(), LIMIT);
  }

  static List<Case> router() {
    return OpCases.of("router");
  }

  @ParameterizedTest
  @MethodSource
  void router(Case c) {
    float[] logits = c.input("logits").floats();
    int experts = c.input("logits").size(1);
    int chosen = c.size("top_k");
    int tokens = logits.length / experts;
    float[] weights = new float[tokens * chosen];
    int[] indices = new int[tokens * chosen];
    for (int t = 0; t < tokens; t++) {
      Experts.Choice choice =
          Experts.choose(logits, t * experts, experts, chosen, c.flag("renormalise"));
      System.arraycopy(choice.weights(), 0, weights, t * chosen, chosen);
      System.arraycopy(choice.experts(), 0, indices, t * chosen, chosen);
    }
    assertThat(indices).isEqualTo(c.output("indices").ints());
    Comparison.assertClose(c.name(), weights, c.output("weights").floats(), LIMIT);
  }

  static List<Case> rotation() {
    return OpCases.of("rope");
  }

  @ParameterizedTest
  @MethodSource
  void rotation(Case c) {
    float[] frequencies = c.output("inv_freq").floats();
    float factor = c.output("attention_factor").floats()[0];
    Rope rope = new Rope(c.size("rotary_dim"), frequencies, factor);
    int[] positions = c.input("positions").ints();
    for (String name : List.of("q", "k")) {
      float[] x = c.input(name).floats();
      for (int t = 0; t < positions.length; t++) {
        Attention.rotate(rope, x, t * c.size("head_dim"), positions[t]);
      }
      Comparison.assertClose(c + " " + name, x, c.output(name).floats(), LIMIT);
    }
  }

  static List<Case> gathered() {
    return OpCases.of("gather_qmm");
  }

  /** Each token's chosen experts, out of stacked matrices. */
  @ParameterizedTest
  @MethodSource
  void gathered(Case c) {
    RawTensor packed = c.input("packed");
    int rows = packed.size(1);
    int columns = c.input("x").size(1);
    WeightSpec spec = WeightSpec.experts("mlp.switch_mlp.w", packed.size(0), rows, columns);
    Map<String, RawTensor> tensors = new HashMap<>();
    c.inputs().forEach((key, tensor) -> tensors.put(spec.path() + "." + key, tensor));
    tensors.put(spec.path() + ".weight", packed);
    new ModelFolder(Map.of(), tensors).write(folder);
    int[] indices = c.input("indices").ints();
    int chosen = c.input("indices").size(1);
    float[] y = new float[indices.length * rows];
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Matrix matrix = new Matrix(spec.path(), rows, columns, new RowDecoder(checkpoint.find(spec)));
      for (int slot = 0; slot < indices.length; slot++) {
        Floats x =
            new Floats(indices.length / chosen, columns, c.input("x").floats())
                .slice(slot / chosen, 1);
        Floats product = MatMul.multiply(matrix, indices[slot], x);
        System.arraycopy(product.values(), 0, y, slot * rows, rows);
      }
    }
    Comparison.assertClose(c.name(), y, c.output("y").floats(), 2 * LIMIT);
  }
}
