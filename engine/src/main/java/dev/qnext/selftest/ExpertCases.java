package dev.qnext.selftest;

import dev.qnext.backend.ExpertArgs;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.Format.Mode;
import dev.qnext.checkpoint.WeightSpec;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** experts, in the formats that models use for them. */
final class ExpertCases {
  static final int EXPERTS = 6;
  static final int CHOSEN = 2;
  static final int HIDDEN = 512;
  private static final int INNER = 64;

  /** With two experts each, 40 tokens are enough for kernels that sort by expert (from 64 on). */
  private static final int[] TOKENS = {1, 40};

  /** The least distance between the logits of the last expert that is chosen and the next. */
  private static final double MARGIN = 0.25;

  private ExpertCases() {}

  private static final List<Format> FORMATS =
      List.of(
          Format.plain(DType.BF16),
          ProjectionCases.affine(2, 64),
          ProjectionCases.affine(3, 64),
          ProjectionCases.affine(4, 64),
          ProjectionCases.affine(5, 64),
          ProjectionCases.affine(6, 32),
          ProjectionCases.affine(8, 64),
          new Format(Mode.MXFP4, 4, 32, DType.U8),
          new Format(Mode.MXFP8, 8, 32, DType.U8),
          new Format(Mode.NVFP4, 4, 16, DType.U8));

  static void add(RandomWeights weights, List<Case> cases) {
    SplittableRandom random = new SplittableRandom(5);
    float[] gate = RandomWeights.gaussian(random, EXPERTS * HIDDEN, 2 / Math.sqrt(HIDDEN));
    int tokens = TOKENS[TOKENS.length - 1];
    weights.floats("experts.gate.weight", gate, EXPERTS, HIDDEN);
    weights.floats("experts.x.weight", clearInputs(random, gate, tokens), tokens, HIDDEN);
    weights.floats(
        "experts.shared_gate.weight",
        RandomWeights.gaussian(random, HIDDEN, 1 / Math.sqrt(HIDDEN)),
        1,
        HIDDEN);
    int index = 0;
    for (Format format : FORMATS) {
      String path = "experts.%d.".formatted(index++);
      weights.matrix(random, path + "gate_proj", format, EXPERTS, INNER, HIDDEN);
      weights.matrix(random, path + "up_proj", format, EXPERTS, INNER, HIDDEN);
      weights.matrix(random, path + "down_proj", format, EXPERTS, HIDDEN, INNER);
      weights.matrix(random, path + "shared.gate_proj", format, INNER, HIDDEN);
      weights.matrix(random, path + "shared.up_proj", format, INNER, HIDDEN);
      weights.matrix(random, path + "shared.down_proj", format, HIDDEN, INNER);
      for (int t : TOKENS) {
        // Renormalised as in Qwen3-Next, but once.
        boolean renormalise = format.mode() != Mode.PLAIN || t == 1;
        cases.add(
            Case.of(
                "experts",
                "%s, %d token%s%s"
                    .formatted(
                        format, t, t == 1 ? "" : "s", renormalise ? "" : ", not renormalised"),
                specs(path),
                bench ->
                    bench.read(
                        bench
                            .backend()
                            .experts(
                                args(bench, path, renormalise), bench.input("experts.x", 0, t)))));
      }
    }
  }

  private static List<WeightSpec> specs(String path) {
    return List.of(
        WeightSpec.matrix("experts.x", TOKENS[TOKENS.length - 1], HIDDEN),
        WeightSpec.matrix("experts.gate", EXPERTS, HIDDEN),
        WeightSpec.matrix("experts.shared_gate", 1, HIDDEN),
        WeightSpec.experts(path + "gate_proj", EXPERTS, INNER, HIDDEN),
        WeightSpec.experts(path + "up_proj", EXPERTS, INNER, HIDDEN),
        WeightSpec.experts(path + "down_proj", EXPERTS, HIDDEN, INNER),
        WeightSpec.matrix(path + "shared.gate_proj", INNER, HIDDEN),
        WeightSpec.matrix(path + "shared.up_proj", INNER, HIDDEN),
        WeightSpec.matrix(path + "shared.down_proj", HIDDEN, INNER));
  }

  private static ExpertArgs args(Bench bench, String path, boolean renormalise) {
    return new ExpertArgs(
        EXPERTS,
        CHOSEN,
        renormalise,
        bench.weight("experts.gate"),
        bench.weight(path + "gate_proj"),
        bench.weight(path + "up_proj"),
        bench.weight(path + "down_proj"),
        bench.weight(path + "shared.gate_proj"),
        bench.weight(path + "shared.up_proj"),
        bench.weight(path + "shared.down_proj"),
        bench.weight("experts.shared_gate"));
  }

  /**
   * Inputs whose choice of experts is no close call: another rounding must not choose other
   * experts, which would be a large and innocent difference.
   */
  private static float[] clearInputs(SplittableRandom random, float[] gate, int tokens) {
    float[] x = new float[tokens * HIDDEN];
    for (int t = 0; t < tokens; ) {
      float[] row = RandomWeights.gaussian(random, HIDDEN, 1);
      double[] logits = new double[EXPERTS];
      for (int e = 0; e < EXPERTS; e++) {
        for (int i = 0; i < HIDDEN; i++) {
          logits[e] += (double) gate[e * HIDDEN + i] * row[i];
        }
      }
      Arrays.sort(logits);
      if (logits[EXPERTS - CHOSEN] - logits[EXPERTS - CHOSEN - 1] >= MARGIN) {
        System.arraycopy(row, 0, x, t * HIDDEN, HIDDEN);
        t++;
      }
    }
    return x;
  }
}
