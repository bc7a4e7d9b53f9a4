package dev.qnext.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.backend.Backend;
import dev.qnext.backend.State;
import dev.qnext.fixtures.Comparison;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * What all suites have: a backend, and what it promises about the same computation done in another
 * way (other chunks, drafts in between, another layout of the same weights): the same bits, or
 * numbers close to each other. The same computation done again must give the same bits on every
 * backend, so suites ask for that by {@link Comparison#assertIdentical}.
 */
public abstract class BackendSuite {
  @TempDir protected Path temporary;

  private double worst;
  private long numbers;
  private long others;

  /** A new one, to be used and closed on the calling thread. */
  protected abstract Backend backend();

  /** The largest difference that another way may make; 0 promises the same bits. */
  protected double tolerance() {
    return 0;
  }

  /**
   * The largest difference to what others computed in f32, in a logit. Random networks magnify what
   * is rounded.
   */
  protected double largestError() {
    return 1e-3;
  }

  /**
   * Whether products with quantized weights take the activations as they are; if not, a model's
   * numbers agree with nobody's, and the backend's tests measure its loss.
   */
  protected boolean exactProducts() {
    return true;
  }

  /** Passes over a case with quantized weights that needs them exact. */
  final void needsExactProducts() {
    assumeTrue(exactProducts(), "activations are rounded in products with quantized weights");
  }

  /** Compares what two ways of the same computation gave. */
  final void assertSame(String what, float[] actual, float[] expected) {
    if (tolerance() == 0) {
      Comparison.assertIdentical(what, actual, expected);
      return;
    }
    assertThat(actual).describedAs(what).hasSameSizeAs(expected);
    for (int i = 0; i < actual.length; i++) {
      double difference = Math.abs(actual[i] - (double) expected[i]);
      if (!(difference <= tolerance())) {
        throw new AssertionError(
            "%s: differs by %.3e > %.3e at %d of %d: %s but expected %s"
                .formatted(
                    what, difference, tolerance(), i, actual.length, actual[i], expected[i]));
      }
      worst = Math.max(worst, difference);
      others += actual[i] == expected[i] ? 0 : 1;
    }
    numbers += actual.length;
  }

  /**
   * Compares a state with a saved one, which another way led to; close ones show in what follows.
   */
  final void assertSameState(String what, State actual, byte[] expected) {
    if (tolerance() == 0) {
      assertThat(ModelRun.saved(actual)).describedAs(what).isEqualTo(expected);
    }
  }

  @AfterEach
  void printWorst() {
    if (numbers > 0) {
      System.out.printf(
          Locale.ROOT,
          "%s: %.1f %% of %d numbers differ, by %.2e at most (allowed: %.0e)%n",
          getClass().getSimpleName(),
          100.0 * others / numbers,
          numbers,
          worst,
          tolerance());
    }
  }
}
