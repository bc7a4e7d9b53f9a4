package dev.qnext.suites;

import static dev.qnext.fixtures.Gaussian.gaussian;
import static dev.qnext.suites.Definitions.widened;

import dev.qnext.backend.Backend;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.suites.OperationCase.Result;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/** Cases of deltaNet: sizes by hand, then seeded ones, against {@link Definitions}. */
final class DeltaNetCases {
  private static final int RANDOM = 80;

  private DeltaNetCases() {}

  /** How the state forgets, and what it is asked for: both strain a chunkwise form. */
  private enum Kind {
    USUAL,
    /** Hardly anything is forgotten. */
    LASTING,
    /** Between two tokens all is forgotten: products of decays leave the range of f32. */
    FORGETFUL,
    /** All keys are nearly the same: the triangular system is as badly conditioned as it gets. */
    ONE_KEY
  }

  private record Sizes(Passes passes, StateShape.Delta shape, Kind kind) {
    @Override
    public String toString() {
      return "%s, keyHeads=%d, valueHeads=%d, keyDim=%d, valueDim=%d, kernel=%d, %s"
          .formatted(
              passes,
              shape.keyHeads(),
              shape.valueHeads(),
              shape.keyDim(),
              shape.valueDim(),
              shape.kernel(),
              kind.name().toLowerCase(Locale.ROOT));
    }
  }

  static List<OperationCase> all() {
    List<Sizes> sizes = new ArrayList<>();
    sizes.add(usual(1, new StateShape.Delta(1, 1, 8, 8, 4)));
    sizes.add(usual(5, new StateShape.Delta(1, 3, 32, 64, 4)));
    sizes.add(usual(9, new StateShape.Delta(3, 3, 7, 12, 2)));
    sizes.add(usual(17, new StateShape.Delta(2, 4, 24, 5, 3)));
    sizes.add(usual(130, new StateShape.Delta(2, 6, 16, 20, 4)));
    sizes.add(usual(33, new StateShape.Delta(16, 32, 4, 4, 4)));
    sizes.add(usual(100, new StateShape.Delta(2, 4, 128, 128, 4))); // the 80B model's heads
    SplittableRandom random = new SplittableRandom(2);
    for (int i = 0; i < RANDOM; i++) {
      int tokens = List.of(1, 2, 7, 64, 65).get(i % 5);
      int keyHeads = 1 + random.nextInt(4);
      StateShape.Delta shape =
          new StateShape.Delta(
              keyHeads,
              keyHeads * List.of(1, 2, 4).get(random.nextInt(3)),
              size(random),
              size(random),
              2 + random.nextInt(3));
      Passes passes = i % 3 == 0 ? Passes.prefill(tokens) : Passes.random(random, tokens);
      sizes.add(new Sizes(passes, shape, Kind.values()[random.nextInt(4)]));
    }
    for (Kind kind : Kind.values()) {
      sizes.add(new Sizes(Passes.prefill(150), new StateShape.Delta(1, 2, 32, 32, 4), kind));
    }
    List<OperationCase> cases = new ArrayList<>();
    for (Sizes s : sizes) {
      long seed = cases.size();
      cases.add(
          new OperationCase("deltaNet", s.toString(), (backend, to) -> run(s, seed, backend, to)));
    }
    return cases;
  }

  private static Sizes usual(int tokens, StateShape.Delta shape) {
    return new Sizes(Passes.prefill(tokens), shape, Kind.USUAL);
  }

  /** Of a head: round or not. */
  private static int size(SplittableRandom random) {
    return random.nextBoolean() ? 16 << random.nextInt(3) : 1 + random.nextInt(40);
  }

  private static Result run(Sizes s, long seed, Backend backend, Path folder) {
    SplittableRandom random = new SplittableRandom(seed);
    StateShape.Delta shape = s.shape;
    int heads = shape.valueHeads();
    int width = shape.channels() + heads * shape.valueDim();
    int rows = s.passes.rows();
    float[] qkvz = gaussian(random, rows * width, 1.5);
    float[] ba = gaussian(random, rows * 2 * heads, 1.5);
    float[] kernel = gaussian(random, shape.channels() * shape.kernel(), 0.6);
    float[] aLog = gaussian(random, heads, 1.5);
    float[] dtBias = gaussian(random, heads, 1);
    float[] norm = gaussian(random, shape.valueDim(), 1);
    switch (s.kind) {
      case USUAL -> {}
      case LASTING -> Arrays.fill(aLog, -20);
      case FORGETFUL -> Arrays.fill(aLog, 5);
      case ONE_KEY -> {
        repeatKeys(qkvz, width, shape);
        Arrays.fill(aLog, -6);
      }
    }
    try (OperationBench bench =
            new OperationBench(backend)
                .matrix("qkvz", qkvz, width)
                .matrix("ba", ba, 2 * heads)
                .vector("conv1d", kernel)
                .vector("A_log", aLog)
                .vector("dt_bias", dtBias)
                .vector("norm", norm)
                .bind(folder);
        State state = backend.newState(new StateShape(List.of(shape)), s.passes.capacity())) {
      DeltaArgs args =
          new DeltaArgs(
              shape,
              bench.weight("conv1d"),
              bench.weight("A_log"),
              bench.weight("dt_bias"),
              bench.weight("norm"),
              1e-6f);
      float[] actual =
          s.passes.read(
              bench,
              state,
              ids ->
                  backend.deltaNet(
                      args, bench.input("qkvz", ids), bench.input("ba", ids), state, 0));
      int kept = s.passes.kept();
      double[] expected =
          Definitions.deltaNet(
              shape,
              widened(kernel),
              widened(aLog),
              widened(dtBias),
              widened(norm),
              1e-6f,
              widened(Arrays.copyOf(qkvz, kept * width)),
              widened(Arrays.copyOf(ba, kept * 2 * heads)));
      return new Result(actual, expected);
    }
  }

  /** All tokens' keys become the first one's, but for a thousandth. */
  private static void repeatKeys(float[] qkvz, int width, StateShape.Delta shape) {
    int keys = shape.keyHeads() * shape.keyDim();
    for (int from = width; from < qkvz.length; from += width) {
      for (int i = keys; i < 2 * keys; i++) {
        qkvz[from + i] = qkvz[i] + 1e-3f * qkvz[from + i];
      }
    }
  }
}
