package dev.qnext.suites;

import static dev.qnext.fixtures.Gaussian.gaussian;
import static dev.qnext.suites.Definitions.widened;

import dev.qnext.backend.AddNorm;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.RowOrder;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.fixtures.OpCases;
import dev.qnext.fixtures.Packing;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.suites.OperationCase.Result;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Cases of embed, linear, logits and addNorm: MLX's and transformers' vectors first, then every
 * format and seeded sizes against {@link Definitions}.
 */
final class OperationCases {
  private static final int[] TOKENS = {1, 2, 7, 64, 65};

  private OperationCases() {}

  static List<OperationCase> all() {
    List<OperationCase> cases = new ArrayList<>();
    OpCases.of("quantize").forEach(c -> cases.add(dequantized(c)));
    OpCases.of("quantized_matmul").forEach(c -> cases.add(product(c)));
    OpCases.of("rms_norm_one_plus").forEach(c -> cases.add(norm(c)));
    SplittableRandom random = new SplittableRandom(3);
    for (Packing packing : Packing.all()) {
      for (int tokens : TOKENS) {
        int columns = packing.group() * (1 + random.nextInt(512 / packing.group()));
        cases.add(linear(packing, tokens, 1 + random.nextInt(150), columns, cases.size()));
      }
      // MLX dequantizes nvfp4, whose groups are of 16, by 32 numbers.
      cases.add(embed(packing, Math.max(64, 3 * packing.group()), cases.size()));
    }
    for (String dtype : List.of("F32", "F16", "BF16")) {
      for (int columns : new int[] {1, 7, 33, 128}) {
        cases.add(plain(dtype, 1 + columns % 19, 1 + columns % 40, columns, cases.size()));
      }
      for (int tokens : TOKENS) {
        int columns = 1 + random.nextInt(300);
        cases.add(plain(dtype, tokens, 1 + random.nextInt(150), columns, cases.size()));
      }
    }
    for (int tokens : TOKENS) {
      cases.add(addNorm(tokens, 1 + random.nextInt(300), tokens % 2 == 0, cases.size()));
      cases.add(addNorm(tokens, 1 + random.nextInt(300), tokens % 2 == 1, cases.size()));
      cases.add(swiglu(tokens, 1 + random.nextInt(300), cases.size()));
    }
    cases.add(logits(9, 30, 40, cases.size()));
    cases.add(permuted(4, 24, cases.size()));
    return cases;
  }

  private static OperationCase dequantized(OpCases.Case c) {
    return new OperationCase(
        "embed",
        c.name(),
        (backend, folder) -> {
          RawTensor expected = c.output("dequantized");
          try (OperationBench bench =
              new OperationBench(backend)
                  .tensor("w.weight", c.output("packed"))
                  .tensor("w.scales", c.output("scales"))
                  .tensor("w.biases", c.outputs().get("biases"))
                  .spec(WeightSpec.matrix("w", expected.size(0), expected.size(1)))
                  .bind(folder)) {
            return new Result(bench.read(bench.input("w")), widened(expected.floats()));
          }
        });
  }

  private static OperationCase product(OpCases.Case c) {
    return new OperationCase(
        "linear",
        c.name(),
        (backend, folder) -> {
          int expert = c.size("expert");
          int columns = c.input("x").size(1);
          RawTensor biases = c.inputs().get("biases");
          try (OperationBench bench =
              new OperationBench(backend)
                  .matrix("x", c.input("x").floats(), columns)
                  .tensor("w.weight", c.input("packed").part(expert))
                  .tensor("w.scales", c.input("scales").part(expert))
                  .tensor("w.biases", biases == null ? null : biases.part(expert))
                  .spec(WeightSpec.matrix("w", c.input("packed").size(1), columns))
                  .bind(folder)) {
            Tensor y = backend.linear(bench.weight("w"), bench.input("x"));
            return new Result(bench.read(y), widened(c.output("y").floats()));
          }
        });
  }

  private static OperationCase norm(OpCases.Case c) {
    return new OperationCase(
        "addNorm",
        c.name(),
        (backend, folder) -> {
          float[] weight = c.input("weight").floats();
          try (OperationBench bench =
              new OperationBench(backend)
                  .matrix("x", c.input("x").floats(), weight.length)
                  .norm("norm", weight)
                  .bind(folder)) {
            float eps = (float) c.number("eps");
            AddNorm out = backend.addNorm(bench.input("x"), null, bench.weight("norm"), eps);
            return new Result(bench.read(out.normed()), widened(c.output("y").floats()));
          }
        });
  }

  private static OperationCase linear(
      Packing packing, int tokens, int rows, int columns, long seed) {
    return new OperationCase(
        "linear",
        "%s, T=%d, rows=%d, columns=%d".formatted(packing, tokens, rows, columns),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(seed);
          float[] x = gaussian(random, tokens * columns, 1);
          Packing.Packed w = packing.pack(gaussian(random, rows * columns, 0.1), rows, columns);
          try (OperationBench bench =
              new OperationBench(backend)
                  .matrix("x", x, columns)
                  .tensor("w.weight", w.weight())
                  .tensor("w.scales", w.scales())
                  .tensor("w.biases", w.biases())
                  .spec(WeightSpec.matrix("w", rows, columns))
                  .bind(folder)) {
            Tensor y = backend.linear(bench.weight("w"), bench.input("x"));
            return new Result(
                bench.read(y), Definitions.matmul(widened(x), widened(w.dequantized()), columns));
          }
        });
  }

  /** Some rows of a table, some of them twice. */
  private static OperationCase embed(Packing packing, int columns, long seed) {
    return new OperationCase(
        "embed",
        "%s, columns=%d".formatted(packing, columns),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(seed);
          Packing.Packed w = packing.pack(gaussian(random, 40 * columns, 0.1), 40, columns);
          int[] ids = random.ints(65, 0, 40).toArray();
          double[] expected = new double[ids.length * columns];
          for (int i = 0; i < expected.length; i++) {
            expected[i] = w.dequantized()[ids[i / columns] * columns + i % columns];
          }
          try (OperationBench bench =
              new OperationBench(backend)
                  .tensor("w.weight", w.weight())
                  .tensor("w.scales", w.scales())
                  .tensor("w.biases", w.biases())
                  .spec(WeightSpec.matrix("w", 40, columns))
                  .bind(folder)) {
            return new Result(bench.read(bench.input("w", ids)), expected);
          }
        });
  }

  private static OperationCase swiglu(int tokens, int columns, long seed) {
    return new OperationCase(
        "swiglu",
        "T=%d, columns=%d".formatted(tokens, columns),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(seed);
          float[] gate = gaussian(random, tokens * columns, 8);
          float[] up = gaussian(random, tokens * columns, 1);
          double[] expected = new double[gate.length];
          for (int i = 0; i < gate.length; i++) {
            expected[i] = Definitions.silu(gate[i]) * up[i];
          }
          try (OperationBench bench =
              new OperationBench(backend)
                  .matrix("gate", gate, columns)
                  .matrix("up", up, columns)
                  .bind(folder)) {
            Tensor y = backend.swiglu(bench.input("gate"), bench.input("up"));
            return new Result(bench.read(y), expected);
          }
        });
  }

  private static OperationCase plain(String dtype, int tokens, int rows, int columns, long seed) {
    return new OperationCase(
        "linear",
        "%s, T=%d, rows=%d, columns=%d".formatted(dtype, tokens, rows, columns),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(seed);
          float[] x = gaussian(random, tokens * columns, 1);
          RawTensor w = RawTensor.of(dtype, gaussian(random, rows * columns, 0.1), rows, columns);
          try (OperationBench bench =
              new OperationBench(backend)
                  .matrix("x", x, columns)
                  .tensor("w.weight", w)
                  .spec(WeightSpec.matrix("w", rows, columns))
                  .bind(folder)) {
            Tensor y = backend.linear(bench.weight("w"), bench.input("x"));
            return new Result(
                bench.read(y), Definitions.matmul(widened(x), widened(w.floats()), columns));
          }
        });
  }

  /** Stored for each of five groups two rows of one kind, three of another; bound kind by kind. */
  private static OperationCase permuted(int tokens, int columns, long seed) {
    return new OperationCase(
        "linear",
        "rows in another order",
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(seed);
          float[] x = gaussian(random, tokens * columns, 1);
          float[] w = gaussian(random, 25 * columns, 0.1);
          double[] bound = new double[w.length];
          for (int r = 0; r < 25; r++) {
            int stored = r < 10 ? r / 2 * 5 + r % 2 : (r - 10) / 3 * 5 + 2 + (r - 10) % 3;
            for (int i = 0; i < columns; i++) {
              bound[r * columns + i] = w[stored * columns + i];
            }
          }
          try (OperationBench bench =
              new OperationBench(backend)
                  .matrix("x", x, columns)
                  .tensor("w.weight", RawTensor.f32(w, 25, columns))
                  .spec(WeightSpec.matrix("w", 25, columns, new RowOrder(5, List.of(2, 3))))
                  .bind(folder)) {
            Tensor y = backend.linear(bench.weight("w"), bench.input("x"));
            return new Result(bench.read(y), Definitions.matmul(widened(x), bound, columns));
          }
        });
  }

  private static OperationCase logits(int tokens, int rows, int columns, long seed) {
    return new OperationCase(
        "logits",
        "rows 2 to 5 of %d".formatted(tokens),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(seed);
          float[] x = gaussian(random, tokens * columns, 1);
          float[] w = gaussian(random, rows * columns, 0.1);
          try (OperationBench bench =
              new OperationBench(backend)
                  .matrix("x", x, columns)
                  .matrix("head", w, columns)
                  .bind(folder)) {
            Tensor y = backend.logits(bench.weight("head"), bench.input("x"), new Rows(2, 4));
            float[] part = Arrays.copyOfRange(x, 2 * columns, 6 * columns);
            return new Result(
                bench.read(y), Definitions.matmul(widened(part), widened(w), columns));
          }
        });
  }

  private static OperationCase addNorm(int tokens, int columns, boolean delta, long seed) {
    return new OperationCase(
        "addNorm",
        "T=%d, columns=%d%s".formatted(tokens, columns, delta ? ", with delta" : ""),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(seed);
          float[] x = gaussian(random, tokens * columns, 3);
          float[] d = gaussian(random, tokens * columns, 1);
          float[] weight = gaussian(random, columns, 0.2);
          double[] sum = new double[x.length];
          for (int i = 0; i < sum.length; i++) {
            sum[i] = x[i] + (delta ? d[i] : 0.0);
          }
          double[] normed = Definitions.rmsNorm(sum, Definitions.onePlus(weight), 1e-5f);
          try (OperationBench bench =
              new OperationBench(backend)
                  .matrix("x", x, columns)
                  .matrix("d", d, columns)
                  .norm("norm", weight)
                  .bind(folder)) {
            AddNorm out =
                backend.addNorm(
                    bench.input("x"), delta ? bench.input("d") : null, bench.weight("norm"), 1e-5f);
            return new Result(
                joined(bench.read(out.residual()), bench.read(out.normed())), joined(sum, normed));
          }
        });
  }

  private static float[] joined(float[] a, float[] b) {
    float[] out = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, out, a.length, b.length);
    return out;
  }

  private static double[] joined(double[] a, double[] b) {
    double[] out = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, out, a.length, b.length);
    return out;
  }
}
