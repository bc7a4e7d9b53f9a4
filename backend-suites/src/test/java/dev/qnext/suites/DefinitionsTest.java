package dev.qnext.suites;

import static dev.qnext.suites.Definitions.widened;

import dev.qnext.backend.Rope;
import dev.qnext.backend.StateShape;
import dev.qnext.fixtures.Comparison;
import dev.qnext.fixtures.OpCases;
import dev.qnext.fixtures.OpCases.Case;
import dev.qnext.fixtures.Packing;
import dev.qnext.fixtures.RawTensor;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The f64 definitions, and the fixtures' unpacking, against transformers' vectors: the judge is
 * judged first.
 */
class DefinitionsTest {
  private static final double LIMIT = OpCases.STATED_ERROR;

  private static double[] input(Case c, String name) {
    return widened(c.input(name).floats());
  }

  private static void check(Case c, String output, double[] actual) {
    float[] values = new float[actual.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) actual[i];
    }
    Comparison.assertClose("f64 " + c + " " + output, values, c.output(output).floats(), LIMIT);
  }

  static List<Case> deltaRule() {
    return OpCases.of("gated_delta_rule");
  }

  @ParameterizedTest
  @MethodSource
  void deltaRule(Case c) {
    RawTensor k = c.input("k");
    RawTensor v = c.input("v");
    StateShape.Delta shape = new StateShape.Delta(k.size(2), v.size(2), k.size(3), v.size(3), 4);
    double[] state = input(c, "state");
    check(
        c,
        "out",
        Definitions.deltaRule(
            shape,
            input(c, "q"),
            input(c, "k"),
            input(c, "v"),
            input(c, "g"),
            input(c, "beta"),
            state));
    check(c, "state", state);
  }

  static List<Case> decayGate() {
    return OpCases.of("decay_gate");
  }

  @ParameterizedTest
  @MethodSource
  void decayGate(Case c) {
    double[] g = input(c, "a");
    for (int i = 0; i < g.length; i++) {
      int head = i % c.input("A_log").size(0);
      g[i] = Definitions.logDecay(g[i], input(c, "A_log")[head], input(c, "dt_bias")[head]);
    }
    check(c, "g", g);
  }

  static List<Case> convolution() {
    return OpCases.of("causal_conv1d");
  }

  @ParameterizedTest
  @MethodSource
  void convolution(Case c) {
    int channels = c.input("x").size(1);
    double[] past =
        c.inputs().containsKey("state")
            ? transposed(input(c, "state"), channels)
            : new double[3 * channels];
    double[] y =
        Definitions.convolution(
            transposed(input(c, "x"), channels), input(c, "weight"), past, channels);
    check(c, "y", transposed(y, y.length / channels));
  }

  private static double[] transposed(double[] x, int rows) {
    int columns = x.length / rows;
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i % columns * rows + i / columns] = x[i];
    }
    return out;
  }

  static List<Case> norms() {
    return List.of(OpCases.of("gated_rms_norm").get(0), OpCases.of("rms_norm_one_plus").get(0));
  }

  @ParameterizedTest
  @MethodSource
  void norms(Case c) {
    double[] weight = input(c, "weight");
    double eps = c.number("eps");
    if (c.op().equals("gated_rms_norm")) {
      check(c, "y", Definitions.gatedNorm(input(c, "x"), input(c, "gate"), weight, eps));
    } else {
      check(
          c,
          "y",
          Definitions.rmsNorm(input(c, "x"), Arrays.stream(weight).map(w -> 1 + w).toArray(), eps));
    }
  }

  static List<Case> router() {
    return OpCases.of("router");
  }

  @ParameterizedTest
  @MethodSource
  void router(Case c) {
    int experts = c.input("logits").size(1);
    int chosen = c.size("top_k");
    double[] logits = input(c, "logits");
    int[] indices = c.output("indices").ints();
    double[] weights = new double[indices.length];
    for (int i = 0; i < weights.length; i++) {
      int from = i / chosen * experts;
      double[] routed =
          Definitions.route(
              Arrays.copyOfRange(logits, from, from + experts), chosen, c.flag("renormalise"));
      weights[i] = routed[indices[i]];
    }
    check(c, "weights", weights);
  }

  static List<Case> rotation() {
    return OpCases.of("rope");
  }

  @ParameterizedTest
  @MethodSource
  void rotation(Case c) {
    Rope rope =
        new Rope(
            c.size("rotary_dim"),
            c.output("inv_freq").floats(),
            c.output("attention_factor").floats()[0]);
    int[] positions = c.input("positions").ints();
    double[] q = input(c, "q");
    for (int t = 0; t < positions.length; t++) {
      Definitions.rotate(q, t * c.size("head_dim"), rope, positions[t]);
    }
    check(c, "q", q);
  }

  static List<Case> formats() {
    return OpCases.of("quantize");
  }

  @ParameterizedTest
  @MethodSource
  void formats(Case c) {
    float[] unpacked =
        Packing.of(c).unpack(c.output("packed"), c.output("scales"), c.outputs().get("biases"));
    check(c, "dequantized", widened(unpacked));
  }

  static List<Case> products() {
    return OpCases.of("quantized_matmul");
  }

  @ParameterizedTest
  @MethodSource
  void products(Case c) {
    int expert = c.size("expert");
    RawTensor biases = c.inputs().get("biases");
    float[] w =
        Packing.of(c)
            .unpack(
                c.input("packed").part(expert),
                c.input("scales").part(expert),
                biases == null ? null : biases.part(expert));
    check(c, "y", Definitions.matmul(input(c, "x"), widened(w), c.input("x").size(1)));
  }
}
