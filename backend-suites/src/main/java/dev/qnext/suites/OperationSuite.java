package dev.qnext.suites;

import static dev.qnext.fixtures.Gaussian.gaussian;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.Tensor;
import dev.qnext.fixtures.Comparison;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every operation of a backend through the seam: MLX's vectors, and seeded cases against formulas
 * in f64. A backend's test extends this and says how large its error may be.
 */
public abstract class OperationSuite extends BackendSuite {
  /** Largest normalised mean squared error of an operation, by the name of its method. */
  protected abstract double limit(String operation);

  static Stream<OperationCase> cases() {
    return Stream.of(
            OperationCases.all(), AttentionCases.all(), DeltaNetCases.all(), ExpertCases.all())
        .flatMap(List::stream);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithItsDefinition(OperationCase c) {
    try (Backend backend = backend()) {
      OperationCase.Result result = c.body().run(backend, temporary);
      Comparison.assertNmse(c.toString(), result.actual(), result.expected(), limit(c.op()));
    }
  }

  static Stream<OperationCase> ties() {
    return ExpertCases.ties().stream();
  }

  @ParameterizedTest
  @MethodSource("ties")
  protected void theFirstOfEqualExpertsIsTaken(OperationCase c) {
    agreesWithItsDefinition(c);
  }

  @Test
  void concatAndRows() {
    SplittableRandom random = new SplittableRandom(1);
    float[] a = gaussian(random, 5 * 6, 2);
    float[] b = gaussian(random, 5 * 6, 1);
    try (Backend backend = backend();
        OperationBench bench =
            new OperationBench(backend).matrix("a", a, 6).matrix("b", b, 6).bind(temporary)) {
      Tensor left = bench.input("a");
      Tensor right = bench.input("b");
      Tensor both = backend.concat(left, right);
      assertThat(both.rows()).isEqualTo(5);
      assertThat(both.columns()).isEqualTo(12);
      float[] joined = bench.read(both);
      float[] part = bench.read(backend.rows(both, new Rows(1, 3)));
      for (int t = 0; t < 5; t++) {
        assertThat(Arrays.copyOfRange(joined, 12 * t, 12 * t + 6))
            .isEqualTo(Arrays.copyOfRange(a, 6 * t, 6 * t + 6));
        assertThat(Arrays.copyOfRange(joined, 12 * t + 6, 12 * t + 12))
            .isEqualTo(Arrays.copyOfRange(b, 6 * t, 6 * t + 6));
      }
      assertThat(part).isEqualTo(Arrays.copyOfRange(joined, 12, 48));
    }
  }

  @Test
  void samplesAsDefined() {
    float[] values = gaussian(new SplittableRandom(2), 9 * 50, 2);
    List<Sampling> ways =
        List.of(
            Sampling.GREEDY,
            new Sampling(1, 0, 1, 0, 7),
            new Sampling(0.7f, 20, 0.8f, 0, 8),
            new Sampling(1.3f, 0, 0.95f, 0.05f, 9));
    try (Backend backend = backend();
        OperationBench bench =
            new OperationBench(backend).matrix("x", values, 50).bind(temporary)) {
      for (Sampling sampling : ways) {
        int[] expected = new int[9];
        for (int t = 0; t < 9; t++) {
          expected[t] =
              sampling.draw(
                  Arrays.copyOfRange(values, 50 * t, 50 * t + 50), 1_000_000_000_000L + t);
        }
        Tensor tokens = backend.sample(bench.input("x"), sampling, 1_000_000_000_000L);
        assertThat(tokens.rows()).isEqualTo(9);
        assertThat(tokens.columns()).isEqualTo(1);
        assertThat(backend.readTokens(tokens)).describedAs("%s", sampling).isEqualTo(expected);
      }
    }
  }

  /** The model's vocabulary, with the settings that its makers recommend, and without filters. */
  @Test
  void samplesFromALargeVocabulary() {
    int width = 151_936;
    int rows = 12;
    float[] values = gaussian(new SplittableRandom(6), rows * width, 2.5);
    try (Backend backend = backend();
        OperationBench bench =
            new OperationBench(backend).matrix("x", values, width).bind(temporary)) {
      for (Sampling sampling :
          List.of(
              Sampling.GREEDY,
              new Sampling(0.7f, 20, 0.8f, 0, 1),
              new Sampling(1, 0, 0.95f, 0, 2),
              new Sampling(1, 0, 1, 0.05f, 3),
              new Sampling(1, 0, 1, 0, 4))) {
        int[] expected = new int[rows];
        for (int t = 0; t < rows; t++) {
          expected[t] = sampling.draw(Arrays.copyOfRange(values, t * width, (t + 1) * width), t);
        }
        try (Scope scope = backend.scope()) {
          int[] tokens = backend.readTokens(backend.sample(bench.input("x"), sampling, 0));
          assertThat(tokens).describedAs("%s", sampling).isEqualTo(expected);
        }
      }
    }
  }

  /** Ties, masked tokens, one token left, none that is better: what models and grammars make. */
  @Test
  void samplesTiesAndMaskedTokensAsDefined() {
    int width = 40;
    float[] values = new float[30 * width];
    SplittableRandom random = new SplittableRandom(4);
    for (int t = 0; t < 30; t++) {
      int kinds = 1 + t % 4;
      int only = random.nextInt(width);
      for (int id = 0; id < width; id++) {
        boolean masked = t % 3 > 0 && id != only && random.nextInt(t % 3 == 1 ? 3 : 12) > 0;
        values[t * width + id] = masked ? Float.NEGATIVE_INFINITY : random.nextInt(kinds) - 1;
      }
    }
    List<Sampling> ways = new ArrayList<>(List.of(Sampling.GREEDY));
    for (int topK : new int[] {0, 1, 2, 3, 5, 8, 39, 40, 41}) {
      for (float topP : new float[] {1, 0.9f, 0.5f}) {
        for (float minP : new float[] {0, 0.3f, 1}) {
          ways.add(new Sampling(0.8f, topK, topP, minP, topK));
        }
      }
    }
    try (Backend backend = backend();
        OperationBench bench =
            new OperationBench(backend).matrix("x", values, width).bind(temporary)) {
      for (Sampling sampling : ways) {
        int[] expected = new int[30];
        for (int t = 0; t < expected.length; t++) {
          expected[t] =
              sampling.draw(Arrays.copyOfRange(values, t * width, (t + 1) * width), 77 + t);
        }
        try (Scope scope = backend.scope()) {
          int[] tokens = backend.readTokens(backend.sample(bench.input("x"), sampling, 77));
          assertThat(tokens).describedAs("%s", sampling).isEqualTo(expected);
        }
      }
    }
  }

  /** The next step starts from tokens that nobody has read. */
  @Test
  void embedsSampledTokens() {
    float[] values = gaussian(new SplittableRandom(3), 20 * 20, 1);
    try (Backend backend = backend();
        OperationBench bench =
            new OperationBench(backend).matrix("x", values, 20).bind(temporary)) {
      Tensor tokens = backend.sample(bench.input("x"), Sampling.GREEDY, 0);
      backend.start(tokens);
      float[] rows = bench.read(backend.embed(bench.weight("x"), tokens));
      int[] ids = backend.readTokens(tokens);
      for (int t = 0; t < ids.length; t++) {
        assertThat(Arrays.copyOfRange(rows, 20 * t, 20 * t + 20))
            .isEqualTo(Arrays.copyOfRange(values, 20 * ids[t], 20 * ids[t] + 20));
      }
    }
  }

  @Test
  void refusesWeightsThatWereNotBound() {
    try (Backend backend = backend();
        OperationBench bench =
            new OperationBench(backend).matrix("x", new float[4], 2).bind(temporary)) {
      assertThatThrownBy(() -> bench.weight("y")).isInstanceOf(IllegalArgumentException.class);
    }
  }
}
