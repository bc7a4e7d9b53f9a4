package dev.qnext.suites;

import dev.qnext.backend.Backend;
import java.nio.file.Path;

/**
 * One operation on given numbers, as data that any backend can run.
 *
 * @param op the name of the {@link Backend}'s method
 * @param sizes formats and sizes, to be printed with it
 */
public record OperationCase(String op, String sizes, Body body) {
  @FunctionalInterface
  public interface Body {
    /** Runs the case; weights are written to the folder. */
    Result run(Backend backend, Path folder);
  }

  /** What came out, and the definition's numbers in f64. */
  @SuppressWarnings("ArrayRecordComponent")
  public record Result(float[] actual, double[] expected) {}

  @Override
  public String toString() {
    return op + " " + sizes;
  }
}
