package dev.qnext.suites;

import static dev.qnext.fixtures.Gaussian.gaussian;
import static dev.qnext.suites.Definitions.widened;

import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.fixtures.Packing;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.suites.OperationCase.Result;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Cases of experts: seeded sizes and formats against {@link Definitions}. */
final class ExpertCases {
  private static final int RANDOM = 50;

  private ExpertCases() {}

  /**
   * @param packing format of all but the router and the shared gate; null is plain bf16
   * @param twins the first two experts have equal rows in the router: the lower index wins
   */
  private record Sizes(
      int tokens,
      int experts,
      int chosen,
      boolean renormalise,
      int hidden,
      int inner,
      int sharedInner,
      @Nullable Packing packing,
      boolean twins) {}

  /** Two experts that are always equally good: the lower index is taken first. */
  static List<OperationCase> ties() {
    List<OperationCase> cases = new ArrayList<>();
    for (int tokens : new int[] {1, 7, 40}) {
      cases.add(of(new Sizes(tokens, 5, 1, tokens == 7, 20, 12, 8, null, true)));
      cases.add(of(new Sizes(tokens, 9, 4, tokens != 7, 64, 32, 64, Packing.affine(4, 32), true)));
    }
    return cases;
  }

  static List<OperationCase> all() {
    List<Sizes> sizes = new ArrayList<>();
    sizes.add(new Sizes(1, 1, 1, true, 16, 8, 8, null, false));
    sizes.add(new Sizes(5, 8, 2, true, 33, 17, 9, null, false));
    sizes.add(new Sizes(40, 15, 4, false, 24, 32, 40, null, false));
    sizes.add(new Sizes(3, 64, 10, true, 32, 16, 16, null, false));
    List<Packing> packings =
        List.of(
            Packing.affine(2, 64),
            Packing.affine(3, 32),
            Packing.affine(4, 64),
            Packing.affine(5, 64),
            Packing.affine(6, 32),
            Packing.affine(8, 128),
            new Packing("mxfp4", 4, 32, "U8"),
            new Packing("mxfp8", 8, 32, "U8"),
            new Packing("nvfp4", 4, 16, "U8"));
    for (Packing packing : packings) {
      sizes.add(new Sizes(6, 7, 3, true, 128, 128, 128, packing, false));
    }
    SplittableRandom random = new SplittableRandom(5);
    for (int i = 0; i < RANDOM; i++) {
      int experts = 1 + random.nextInt(40);
      Packing packing = i % 2 == 0 ? null : packings.get(random.nextInt(packings.size()));
      sizes.add(
          new Sizes(
              List.of(1, 2, 7, 64, 65).get(i % 5),
              experts,
              1 + random.nextInt(Math.min(10, experts)),
              random.nextBoolean(),
              size(random, packing),
              size(random, packing),
              size(random, packing),
              packing,
              false));
    }
    return sizes.stream().map(ExpertCases::of).toList();
  }

  /** Of a matrix: whole groups, or odd. */
  private static int size(SplittableRandom random, @Nullable Packing packing) {
    return packing == null
        ? 1 + random.nextInt(70)
        : packing.group() * (1 + random.nextInt(128 / packing.group()));
  }

  private static OperationCase of(Sizes s) {
    String format = s.packing == null ? "BF16" : s.packing.toString();
    return new OperationCase(
        "experts",
        "%s, T=%d, experts=%d, chosen=%d%s%s, hidden=%d, inner=%d, shared=%d"
            .formatted(
                format,
                s.tokens,
                s.experts,
                s.chosen,
                s.renormalise ? " renormalised" : "",
                s.twins ? ", twins" : "",
                s.hidden,
                s.inner,
                s.sharedInner),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(s.tokens * 100L + s.experts);
          float[] x = gaussian(random, s.tokens * s.hidden, 1);
          float[] router = gaussian(random, s.experts * s.hidden, 1 / Math.sqrt(s.hidden));
          if (s.twins) {
            System.arraycopy(router, 0, router, s.hidden, s.hidden);
          }
          float[] sharedGate = gaussian(random, s.hidden, 0.3);
          OperationBench bench =
              new OperationBench(backend)
                  .matrix("x", x, s.hidden)
                  .matrix("gate", router, s.hidden)
                  .matrix("shared_expert_gate", sharedGate, s.hidden);
          double[] gate =
              stacked(bench, random, s.packing, "gate_proj", s.experts, s.inner, s.hidden);
          double[] up = stacked(bench, random, s.packing, "up_proj", s.experts, s.inner, s.hidden);
          double[] down =
              stacked(bench, random, s.packing, "down_proj", s.experts, s.hidden, s.inner);
          double[][] shared = {
            stacked(bench, random, s.packing, "shared_gate", 1, s.sharedInner, s.hidden),
            stacked(bench, random, s.packing, "shared_up", 1, s.sharedInner, s.hidden),
            stacked(bench, random, s.packing, "shared_down", 1, s.hidden, s.sharedInner)
          };
          try (bench) {
            bench.bind(folder);
            ExpertArgs args =
                new ExpertArgs(
                    s.experts,
                    s.chosen,
                    s.renormalise,
                    bench.weight("gate"),
                    bench.weight("gate_proj"),
                    bench.weight("up_proj"),
                    bench.weight("down_proj"),
                    bench.weight("shared_gate"),
                    bench.weight("shared_up"),
                    bench.weight("shared_down"),
                    bench.weight("shared_expert_gate"));
            Tensor out = backend.experts(args, bench.input("x"));
            return new Result(
                bench.read(out),
                expected(
                    s, widened(x), widened(router), widened(sharedGate), gate, up, down, shared));
          }
        });
  }

  /** Adds a weight of so many matrices, and gives its numbers after decoding. */
  private static double[] stacked(
      OperationBench bench,
      SplittableRandom random,
      @Nullable Packing packing,
      String path,
      int experts,
      int rows,
      int columns) {
    float[] values = gaussian(random, experts * rows * columns, 1 / Math.sqrt(columns));
    long[] shape = experts == 1 ? new long[] {rows, columns} : new long[] {experts, rows, columns};
    bench.spec(
        experts == 1
            ? WeightSpec.matrix(path, rows, columns)
            : WeightSpec.experts(path, experts, rows, columns));
    if (packing == null) {
      RawTensor tensor = RawTensor.bf16(values, shape);
      bench.tensor(path + ".weight", tensor);
      return widened(tensor.floats());
    }
    Packing.Packed packed = packing.pack(values, shape);
    bench
        .tensor(path + ".weight", packed.weight())
        .tensor(path + ".scales", packed.scales())
        .tensor(path + ".biases", packed.biases());
    return widened(packed.dequantized());
  }

  private static double[] expected(
      Sizes s,
      double[] x,
      double[] router,
      double[] sharedGate,
      double[] gate,
      double[] up,
      double[] down,
      double[][] shared) {
    double[] out = new double[x.length];
    int size = s.inner * s.hidden;
    for (int t = 0; t < s.tokens; t++) {
      double[] row = Arrays.copyOfRange(x, t * s.hidden, (t + 1) * s.hidden);
      double[] weights =
          Definitions.route(Definitions.matmul(row, router, s.hidden), s.chosen, s.renormalise);
      for (int e = 0; e < s.experts; e++) {
        if (weights[e] == 0) {
          continue;
        }
        double[] y =
            Definitions.swiglu(
                row,
                Arrays.copyOfRange(gate, e * size, (e + 1) * size),
                Arrays.copyOfRange(up, e * size, (e + 1) * size),
                Arrays.copyOfRange(down, e * size, (e + 1) * size),
                s.hidden);
        for (int d = 0; d < s.hidden; d++) {
          out[t * s.hidden + d] += weights[e] * y[d];
        }
      }
      double open = Definitions.sigmoid(Definitions.matmul(row, sharedGate, s.hidden)[0]);
      double[] y = Definitions.swiglu(row, shared[0], shared[1], shared[2], s.hidden);
      for (int d = 0; d < s.hidden; d++) {
        out[t * s.hidden + d] += open * y[d];
      }
    }
    return out;
  }
}
