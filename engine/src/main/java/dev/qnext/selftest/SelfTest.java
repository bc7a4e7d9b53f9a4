package dev.qnext.selftest;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.Scope;
import dev.qnext.backend.Weights;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Layout;
import dev.qnext.selftest.Bench.Output;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Runs every operation of a backend on small random numbers, always the same, and compares the
 * results with those of {@code reference}: what shows on the user's own machine, and nowhere else,
 * is whether its GPU, driver and libraries compute what they should. The weights come from a
 * checkpoint in a temporary folder, so loading is tested too.
 */
public final class SelfTest {
  private SelfTest() {}

  /**
   * What came out of one case.
   *
   * @param operation the name of the {@link Backend}'s method, or "state"
   * @param sizes formats and sizes
   * @param error root mean square of the differences in the worst row, relative to the reference's
   *     numbers; for what only moves or chooses numbers, the share of wrong ones
   * @param limit the largest error that passes; 0 where it failed
   * @param failure why there are no numbers to compare; null if there are
   */
  public record Result(
      String operation, String sizes, double error, double limit, @Nullable String failure) {
    public boolean passed() {
      return failure == null && error <= limit;
    }

    /** One sentence for a reader: what was done and what came of it. */
    @Override
    public String toString() {
      String what = "%s (%s): ".formatted(operation, sizes);
      return failure == null
          ? what + String.format(Locale.ROOT, "error %.2g, limit %.2g", error, limit)
          : what + failure;
    }
  }

  /**
   * All results, in the order of the cases.
   *
   * @param activationType of the last case
   */
  public record Report(DType activationType, List<Result> results, double seconds) {
    public boolean passed() {
      return failures().isEmpty();
    }

    public List<Result> failures() {
      return results.stream().filter(result -> !result.passed()).toList();
    }
  }

  /** Told after every case. */
  @FunctionalInterface
  public interface Progress {
    void done(int cases, int all);
  }

  /**
   * Runs all cases; a case that throws is a result like others.
   *
   * @throws QnextException if the weights cannot be written to a temporary folder
   */
  public static Report run(Backend backend, Progress progress) {
    long start = System.nanoTime();
    Cases cases = Cases.all();
    List<Result> results = new ArrayList<>();
    try {
      Path folder = Files.createTempDirectory("qnext-selftest");
      try {
        cases.weights().write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder);
            Backend reference = new ReferenceBackend()) {
          for (Case c : cases.cases()) {
            results.add(compare(c, backend, reference, checkpoint));
            progress.done(results.size(), cases.cases().size());
          }
        }
      } finally {
        for (String file : List.of("config.json", "model.safetensors")) {
          Files.deleteIfExists(folder.resolve(file));
        }
        Files.deleteIfExists(folder);
      }
    } catch (IOException e) {
      throw new QnextException("cannot write the weights of the self-test: %s".formatted(e), e);
    }
    return new Report(backend.activationType(), results, (System.nanoTime() - start) / 1e9);
  }

  private static Result compare(Case c, Backend backend, Backend reference, Checkpoint checkpoint) {
    try {
      List<Output> actual = outputs(c, backend, checkpoint);
      List<Output> expected = outputs(c, reference, checkpoint);
      for (int i = 0; i < expected.size(); i++) {
        int wanted = expected.get(i).values().length;
        int came = actual.get(i).values().length;
        if (came != wanted) {
          return failed(c, "%d numbers came back, not %d".formatted(came, wanted));
        }
      }
      double error = c.exact() ? share(actual, expected) : relative(actual, expected);
      // Asked now: the type may follow the weights that were bound.
      double limit = c.exact() ? 0 : limit(backend.activationType());
      return new Result(c.operation(), c.sizes(), error, limit, null);
    } catch (QnextException e) {
      return failed(c, String.valueOf(e.getMessage()));
    } catch (RuntimeException | LinkageError | AssertionError e) {
      return failed(c, e.toString());
    }
  }

  private static Result failed(Case c, String failure) {
    return new Result(c.operation(), c.sizes(), Double.NaN, 0, failure);
  }

  /**
   * Several times what was measured (docs/testing.md): a half type keeps 8 (bf16) or 11 (f16) bits,
   * and each operation rounds more than once. What is truly wrong is off by more: a row by about 1.
   */
  static double limit(DType activations) {
    return switch (activations) {
      case F32 -> 2e-5;
      case F16 -> 1e-2;
      default -> 4e-2;
    };
  }

  private static List<Output> outputs(Case c, Backend backend, Checkpoint checkpoint) {
    try (Weights weights = backend.bind(checkpoint, new Layout(c.weights()));
        Scope scope = backend.scope()) {
      Bench bench = new Bench(backend, weights);
      c.body().run(bench);
      return bench.outputs();
    }
  }

  /**
   * The worst row's, because what is wrong is often a row or a tile, which others must not dilute.
   * A row of small numbers is measured by the size of all, or rounding in what cancels would count.
   */
  private static double relative(List<Output> actual, List<Output> expected) {
    double squares = 0;
    long count = 0;
    for (Output output : expected) {
      for (float value : output.values()) {
        squares += (double) value * value;
      }
      count += output.values().length;
    }
    double mean = squares / count;
    double worst = 0;
    for (int i = 0; i < expected.size(); i++) {
      float[] a = actual.get(i).values();
      float[] e = expected.get(i).values();
      int columns = expected.get(i).columns();
      for (int row = 0; row < e.length; row += columns) {
        double differences = 0;
        double sizes = 0;
        for (int j = row; j < row + columns; j++) {
          double difference = (double) a[j] - e[j];
          differences += difference * difference;
          sizes += (double) e[j] * e[j];
        }
        // What is not a number stays so: Math.max keeps it, and no limit is above it.
        worst =
            Math.max(worst, differences == 0 ? 0 : differences / Math.max(sizes, mean * columns));
      }
    }
    return Math.sqrt(worst);
  }

  private static double share(List<Output> actual, List<Output> expected) {
    int wrong = 0;
    int count = 0;
    for (int i = 0; i < expected.size(); i++) {
      float[] a = actual.get(i).values();
      float[] e = expected.get(i).values();
      for (int j = 0; j < e.length; j++) {
        wrong += a[j] == e[j] ? 0 : 1;
      }
      count += e.length;
    }
    return wrong / (double) count;
  }
}
