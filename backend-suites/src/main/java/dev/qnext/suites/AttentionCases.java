package dev.qnext.suites;

import static dev.qnext.fixtures.Gaussian.gaussian;
import static dev.qnext.suites.Definitions.onePlus;
import static dev.qnext.suites.Definitions.widened;

import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.Backend;
import dev.qnext.backend.Rope;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.suites.OperationCase.Result;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** Cases of attention: sizes by hand, then seeded ones, against {@link Definitions}. */
final class AttentionCases {
  private static final int RANDOM = 60;

  private AttentionCases() {}

  /**
   * @param rotary numbers of a head that are turned
   * @param yarn context is stretched by so much; 1 is plain
   */
  private record Sizes(Passes passes, int heads, int kvHeads, int dim, int rotary, float yarn) {
    @Override
    public String toString() {
      return "%s, heads=%d, kvHeads=%d, headDim=%d, rotated=%d, yarn=%s"
          .formatted(passes, heads, kvHeads, dim, rotary, yarn);
    }
  }

  static List<OperationCase> all() {
    List<Sizes> sizes = new ArrayList<>();
    sizes.add(new Sizes(Passes.prefill(1), 1, 1, 8, 8, 1));
    sizes.add(new Sizes(Passes.prefill(7), 4, 2, 32, 8, 1));
    sizes.add(new Sizes(Passes.prefill(40), 3, 1, 16, 16, 1));
    sizes.add(new Sizes(Passes.prefill(65), 6, 3, 24, 12, 4));
    sizes.add(new Sizes(Passes.prefill(130), 4, 4, 64, 16, 1));
    sizes.add(new Sizes(Passes.prefill(100), 16, 2, 256, 64, 1)); // the 80B model's
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < RANDOM; i++) {
      int tokens = List.of(1, 2, 7, 64, 65).get(i % 5);
      int kvHeads = 1 + random.nextInt(3);
      int dim = List.of(4, 8, 24, 32, 64, 80, 96, 128, 256).get(random.nextInt(9));
      int rotary = Math.max(2, dim / List.of(1, 2, 4).get(random.nextInt(3)) / 2 * 2);
      sizes.add(
          new Sizes(
              i % 3 == 0 ? Passes.prefill(tokens) : Passes.random(random, tokens),
              kvHeads * List.of(1, 2, 3, 4, 8).get(random.nextInt(5)),
              kvHeads,
              dim,
              rotary,
              random.nextInt(3) == 0 ? 1 + 7 * random.nextFloat() : 1));
    }
    List<OperationCase> cases = new ArrayList<>();
    for (Sizes s : sizes) {
      long seed = cases.size();
      cases.add(
          new OperationCase("attention", s.toString(), (backend, to) -> run(s, seed, backend, to)));
    }
    return cases;
  }

  private static Result run(Sizes s, long seed, Backend backend, Path folder) {
    SplittableRandom random = new SplittableRandom(seed);
    int rows = s.passes.rows();
    float[] qGate = gaussian(random, rows * s.heads * 2 * s.dim, 2);
    float[] k = gaussian(random, rows * s.kvHeads * s.dim, 2);
    float[] v = gaussian(random, rows * s.kvHeads * s.dim, 1);
    float[] qNorm = gaussian(random, s.dim, 0.3);
    float[] kNorm = gaussian(random, s.dim, 0.3);
    Rope rope = rope(s.rotary, s.yarn);
    StateShape shape = new StateShape(List.of(new StateShape.Attention(s.kvHeads, s.dim)));
    try (OperationBench bench =
            new OperationBench(backend)
                .matrix("q", qGate, s.heads * 2 * s.dim)
                .matrix("k", k, s.kvHeads * s.dim)
                .matrix("v", v, s.kvHeads * s.dim)
                .norm("q_norm", qNorm)
                .norm("k_norm", kNorm)
                .bind(folder);
        State state = backend.newState(shape, s.passes.capacity())) {
      AttentionArgs args =
          new AttentionArgs(
              s.heads,
              s.kvHeads,
              s.dim,
              rope,
              bench.weight("q_norm"),
              bench.weight("k_norm"),
              1e-6f);
      float[] actual =
          s.passes.read(
              bench,
              state,
              ids ->
                  backend.attention(
                      args,
                      bench.input("q", ids),
                      bench.input("k", ids),
                      bench.input("v", ids),
                      state,
                      0));
      int kept = s.passes.kept();
      double[] expected =
          Definitions.attention(
              s.heads,
              s.kvHeads,
              s.dim,
              rope,
              onePlus(qNorm),
              onePlus(kNorm),
              1e-6f,
              widened(Arrays.copyOf(qGate, kept * s.heads * 2 * s.dim)),
              widened(Arrays.copyOf(k, kept * s.kvHeads * s.dim)),
              widened(Arrays.copyOf(v, kept * s.kvHeads * s.dim)));
      return new Result(actual, expected);
    }
  }

  /** As YaRN does: slow turns are stretched, fast ones stay, those between are mixed. */
  private static Rope rope(int rotary, float yarn) {
    float[] frequencies = new float[rotary / 2];
    for (int i = 0; i < frequencies.length; i++) {
      double share = 2.0 * i / rotary;
      double stretched = Math.clamp(2 * share - 0.5, 0, 1);
      frequencies[i] = (float) (Math.pow(1000, -share) * (1 - stretched + stretched / yarn));
    }
    return new Rope(rotary, frequencies, (float) (0.1 * Math.log(yarn) + 1));
  }
}
