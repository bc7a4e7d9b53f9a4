package dev.qnext.backend;

import static dev.qnext.fixtures.Gaussian.gaussian;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.qnext.QnextException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Sampling against its plain definition, and its noise against statistics. */
class SamplingTest {
  private static final float NOTHING = Float.NEGATIVE_INFINITY;

  // --------------------------------------------------------------------------------------- greedy

  @Test
  void greedyTakesTheLargestAndTheLowestOfEquals() {
    assertThat(greedy(1, 3, 2)).isEqualTo(1);
    assertThat(greedy(3, 3, 3)).isZero();
    assertThat(greedy(-5, 2, 7, 7, 1, 7)).isEqualTo(2);
    assertThat(greedy(NOTHING, NOTHING, -1e30f)).isEqualTo(2);
    assertThat(greedy(-0f, 0f)).isZero();
    assertThat(greedy(0f, -0f)).isZero();
    assertThat(greedy(4)).isZero();
  }

  private static int greedy(float... logits) {
    return Sampling.GREEDY.draw(logits, 3);
  }

  // -------------------------------------------------------------------------------------- filters

  /** Rows as models and masks make them. */
  private static List<float[]> rows() {
    List<float[]> rows = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(11);
    for (int i = 0; i < 60; i++) {
      rows.add(gaussian(random, 1 + random.nextInt(200), 0.5 + i % 7));
    }
    for (int i = 0; i < 60; i++) { // ties
      float[] row = new float[1 + random.nextInt(60)];
      for (int id = 0; id < row.length; id++) {
        row[id] = random.nextInt(4) - 2;
      }
      rows.add(row);
    }
    for (int i = 0; i < 40; i++) { // masked
      float[] row = gaussian(random, 2 + random.nextInt(80), 3);
      int kept = random.nextInt(row.length);
      for (int id = 0; id < row.length; id++) {
        row[id] = id == kept || random.nextInt(3) == 0 ? row[id] : NOTHING;
      }
      rows.add(row);
    }
    float[] oneHot = new float[50];
    Arrays.fill(oneHot, NOTHING);
    oneHot[33] = -4;
    rows.add(oneHot);
    rows.add(new float[64]);
    rows.add(new float[] {1e30f, -1e30f, 0, 1e30f});
    return rows;
  }

  private static List<Sampling> ways() {
    List<Sampling> ways = new ArrayList<>();
    for (float temperature : new float[] {0.01f, 0.7f, 2.5f}) {
      for (int topK : new int[] {0, 1, 3, 20, 1000}) {
        for (float topP : new float[] {1e-6f, 0.5f, 0.8f, 0.95f, 0.9999999f, 1}) {
          for (float minP : new float[] {0, 0.05f, 0.5f, 1}) {
            ways.add(new Sampling(temperature, topK, topP, minP, 5));
          }
        }
      }
    }
    return ways;
  }

  /** Temperature, top-k, top-p, min-p, one after the other on the sorted list. */
  private static int[] defined(Sampling s, float[] logits) {
    List<Integer> sorted = new ArrayList<>(IntStream.range(0, logits.length).boxed().toList());
    sorted.sort(Comparator.comparing((Integer id) -> -(logits[id] + 0f)).thenComparing(id -> id));
    if (s.topK() > 0) {
      sorted = sorted.subList(0, Math.min(s.topK(), sorted.size()));
    }
    double[] weight = new double[logits.length];
    double sum = 0;
    for (int id : sorted) {
      weight[id] =
          Math.exp((logits[id] - (double) logits[sorted.get(0)]) / (double) s.temperature());
      sum += weight[id];
    }
    List<Integer> kept = new ArrayList<>();
    double before = 0;
    for (int id : sorted) {
      if ((s.topP() == 1 || before < s.topP() * sum) && weight[id] >= s.minP()) {
        kept.add(id);
      }
      before += weight[id];
    }
    return kept.stream().mapToInt(id -> id).sorted().toArray();
  }

  @Test
  void filtersKeepWhatTheirDefinitionKeeps() {
    int all = 0;
    int cut = 0;
    for (Sampling s : ways()) {
      for (float[] row : rows()) {
        int[] kept = kept(s, row);
        assertThat(kept)
            .describedAs("%s of %s", s, Arrays.toString(row))
            .isEqualTo(defined(s, row));
        all++;
        cut += kept.length < row.length ? 1 : 0;
      }
    }
    assertThat(cut).isBetween(all / 3, all - all / 100);
  }

  /** As transformers writes its warpers: set logits to minus infinity, softmax, next warper. */
  private static int[] warped(Sampling s, float[] logits) {
    double[] scores = new double[logits.length];
    for (int id = 0; id < scores.length; id++) {
      scores[id] = logits[id] / (double) s.temperature();
    }
    if (s.topK() > 0) {
      double[] sorted = scores.clone();
      Arrays.sort(sorted);
      double kth = sorted[Math.max(0, sorted.length - s.topK())];
      mask(scores, id -> scores[id] < kth);
    }
    if (s.topP() < 1) {
      double[] p = softmax(scores);
      int[] ascending =
          IntStream.range(0, p.length)
              .boxed()
              .sorted(Comparator.comparing(id -> p[id]))
              .mapToInt(id -> id)
              .toArray();
      double sum = 0;
      for (int i = 0; i < ascending.length - 1; i++) {
        sum += p[ascending[i]];
        if (sum <= 1 - (double) s.topP()) {
          scores[ascending[i]] = NOTHING;
        }
      }
    }
    double[] p = softmax(scores);
    double most = Arrays.stream(p).max().orElseThrow();
    mask(scores, id -> p[id] < s.minP() * most);
    return IntStream.range(0, scores.length).filter(id -> scores[id] > NOTHING).toArray();
  }

  private static void mask(double[] scores, IntPredicate removed) {
    for (int id = 0; id < scores.length; id++) {
      scores[id] = removed.test(id) ? NOTHING : scores[id];
    }
  }

  private static double[] softmax(double[] scores) {
    double most = Arrays.stream(scores).max().orElseThrow();
    double[] p = Arrays.stream(scores).map(score -> Math.exp(score - most)).toArray();
    double sum = Arrays.stream(p).sum();
    return Arrays.stream(p).map(weight -> weight / sum).toArray();
  }

  @Test
  void withoutTiesTransformersKeepsTheSame() {
    SplittableRandom random = new SplittableRandom(12);
    for (Sampling s : ways()) {
      for (int i = 0; i < 30; i++) {
        float[] row = gaussian(random, 2 + random.nextInt(100), 0.5 + i % 4);
        assertThat(kept(s, row))
            .describedAs("%s of %s", s, Arrays.toString(row))
            .isEqualTo(warped(s, row));
      }
    }
  }

  private static int[] kept(Sampling s, float[] row) {
    float max = row[Sampling.argmax(row)];
    return LongStream.of(s.kept(row, max)).mapToInt(Sampling::id).sorted().toArray();
  }

  @Test
  void drawsTheLargestSumOfLogitAndNoiseAmongTheKept() {
    for (Sampling s : ways()) {
      for (float[] row : rows()) {
        long position = row.length * 31L;
        int expected = -1;
        double largest = 0;
        for (int id : defined(s, row)) {
          double value =
              row[id] / (double) s.temperature() + Sampling.noise(s.seed(), position, id);
          if (expected < 0 || value > largest) {
            expected = id;
            largest = value;
          }
        }
        assertThat(s.draw(row, position)).isEqualTo(expected);
      }
    }
  }

  @Test
  void refusesSettingsThatMeanNothing() {
    assertThatThrownBy(() -> new Sampling(-0.1f, 0, 1, 0, 0))
        .hasMessage("temperature is -0.1 but must be at least 0");
    assertThatThrownBy(() -> new Sampling(Float.NaN, 0, 1, 0, 0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Sampling(Float.POSITIVE_INFINITY, 0, 1, 0, 0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Sampling(1, -1, 1, 0, 0))
        .hasMessage("top-k is -1 but must be at least 0");
    assertThatThrownBy(() -> new Sampling(1, 0, 0, 0, 0))
        .hasMessage("top-p is 0.0 but must be above 0 and at most 1");
    assertThatThrownBy(() -> new Sampling(1, 0, 1.1f, 0, 0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Sampling(1, 0, 1, 1.5f, 0))
        .hasMessage("min-p is 1.5 but must be between 0 and 1");
    assertThatThrownBy(() -> new Sampling(1, 0, 1, Float.NaN, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  // --------------------------------------------------------------------------------- broken logits

  @Test
  void logitsThatAreNoNumbersAreTheModelsFault() {
    List<Sampling> ways = new ArrayList<>(ways());
    ways.add(Sampling.GREEDY);
    float nan = Float.NaN;
    float infinity = Float.POSITIVE_INFINITY;
    for (Sampling s : ways) {
      for (float[] row :
          List.of(
              new float[] {nan, 1, 2},
              new float[] {1, 2, nan},
              new float[] {3, nan, infinity},
              new float[] {1, infinity, 2},
              new float[] {NOTHING, NOTHING})) {
        assertThatThrownBy(() -> s.draw(row, 7))
            .isInstanceOf(QnextException.class)
            .hasMessageStartingWith("the model gave token ")
            .hasMessageContaining(" at position 7 the logit ");
      }
    }
    assertThatThrownBy(() -> greedy(1, nan, 5))
        .hasMessage(
            "the model gave token 1 at position 3 the logit NaN: its weights are damaged, or too"
                + " large for this backend; check the files");
  }

  // --------------------------------------------------------------------------------- distribution

  private static final int DRAWS = 40_000;

  /** Quantile of the chi-squared distribution at 99.95 % (Wilson and Hilferty). */
  private static double limit(int degrees) {
    double a = 2.0 / (9 * degrees);
    return degrees * Math.pow(1 - a + 3.29 * Math.sqrt(a), 3);
  }

  private static void assertFollows(String what, int[] counts, double[] probabilities) {
    long draws = IntStream.of(counts).sum();
    double chiSquared = 0;
    int degrees = -1;
    for (int i = 0; i < counts.length; i++) {
      if (probabilities[i] == 0) {
        assertThat(counts[i]).describedAs(what).isZero();
        continue;
      }
      double expected = probabilities[i] * draws;
      chiSquared += (counts[i] - expected) * (counts[i] - expected) / expected;
      degrees++;
    }
    System.out.printf("%s: chi squared %.1f, limit %.1f%n", what, chiSquared, limit(degrees));
    assertThat(chiSquared).describedAs(what).isLessThan(limit(degrees));
  }

  private static double[] softmax(Sampling s, float[] logits) {
    double[] p = new double[logits.length];
    double sum = 0;
    for (int id : defined(s, logits)) {
      p[id] = Math.exp(logits[id] / s.temperature());
      sum += p[id];
    }
    for (int i = 0; i < p.length; i++) {
      p[i] /= sum;
    }
    return p;
  }

  private static final float[] LOGITS = {1.5f, -0.5f, 0.25f, 2, 0, -1, 1, 0.75f, NOTHING, 1.25f};

  @Test
  void overPositionsTheDrawFollowsTheDistribution() {
    for (Sampling s :
        List.of(
            new Sampling(1, 0, 1, 0, 1),
            new Sampling(0.6f, 0, 1, 0, -2),
            new Sampling(1.7f, 5, 1, 0, 3),
            new Sampling(1, 0, 0.8f, 0, 4),
            new Sampling(1, 7, 0.9f, 0.2f, 1L << 40))) {
      int[] counts = new int[LOGITS.length];
      for (long position = 0; position < DRAWS; position++) {
        counts[s.draw(LOGITS, position)]++;
      }
      assertFollows("positions, " + s, counts, softmax(s, LOGITS));
    }
  }

  @Test
  void overSeedsTheDrawFollowsTheDistribution() {
    for (long position : new long[] {0, 1, 4095, 1L << 33}) {
      int[] counts = new int[LOGITS.length];
      int[] highBits = new int[LOGITS.length];
      for (long seed = 0; seed < DRAWS; seed++) {
        counts[new Sampling(1, 0, 1, 0, seed).draw(LOGITS, position)]++;
        highBits[new Sampling(1, 0, 1, 0, seed << 32).draw(LOGITS, position)]++;
      }
      double[] p = softmax(new Sampling(1, 0, 1, 0, 0), LOGITS);
      assertFollows("seeds at " + position, counts, p);
      assertFollows("seeds' high bits at " + position, highBits, p);
    }
  }

  @Test
  void neighboursAreIndependent() {
    float[] logits = {1, 0.5f, 0, 0.75f};
    double[] p = softmax(new Sampling(1, 0, 1, 0, 0), logits);
    double[] pairs = new double[16];
    for (int i = 0; i < 16; i++) {
      pairs[i] = p[i / 4] * p[i % 4];
    }
    int[] positions = new int[16];
    int[] seeds = new int[16];
    for (int i = 0; i < DRAWS; i++) {
      Sampling s = new Sampling(1, 0, 1, 0, 9);
      positions[s.draw(logits, 2 * i) * 4 + s.draw(logits, 2 * i + 1)]++;
      seeds[
          new Sampling(1, 0, 1, 0, 2L * i).draw(logits, 5) * 4
              + new Sampling(1, 0, 1, 0, 2L * i + 1).draw(logits, 5)]++;
    }
    assertFollows("pairs of positions", positions, pairs);
    assertFollows("pairs of seeds", seeds, pairs);
  }

  @Test
  void theSameKeyGivesTheSameToken() {
    float[] logits = gaussian(new SplittableRandom(1), 5000, 1);
    Sampling s = new Sampling(1, 0, 0.95f, 0, 42);
    Sampling same = new Sampling(1, 0, 0.95f, 0, 42);
    Sampling other = new Sampling(1, 0, 0.95f, 0, 43);
    int equal = 0;
    for (long position = 0; position < 500; position++) {
      int token = s.draw(logits, position);
      assertThat(same.draw(logits.clone(), position)).isEqualTo(token);
      equal += other.draw(logits, position) == token ? 1 : 0;
    }
    assertThat(equal).describedAs("another seed").isLessThan(10);
  }

  // ---------------------------------------------------------------------------------------- noise

  /** Computed in Python from the method's description; every backend must agree with these. */
  @Test
  void noiseIsFixedForAllTime() {
    assertNoise(0, 0, 0, -1.3599408995928932);
    assertNoise(1, 0, 0, 3.3687624285154443);
    assertNoise(0, 1, 0, 0.41343561554448516);
    assertNoise(0, 0, 1, 0.2748461704891672);
    assertNoise(-1, (1L << 40) + 7, 151_642, 0.5065707358299121);
    assertNoise(1L << 33, 5, 77, 1.3805530632999026);
  }

  private static void assertNoise(long seed, long position, int token, double expected) {
    assertThat(Sampling.noise(seed, position, token)).isCloseTo(expected, within(1e-12));
  }

  @Test
  void noiseIsGumbel() {
    int count = 400_000;
    double mean = 0;
    double squares = 0;
    double tokens = 0;
    double positions = 0;
    double seeds = 0;
    int[] deciles = new int[10];
    double gamma = 0.5772156649;
    for (int i = 0; i < count; i++) {
      long position = i / 1000;
      int token = i % 1000;
      double noise = Sampling.noise(7, position, token);
      mean += noise / count;
      double centred = noise - gamma;
      squares += centred * centred / count;
      tokens += centred * (Sampling.noise(7, position, token + 1) - gamma) / count;
      positions += centred * (Sampling.noise(7, position + 1, token) - gamma) / count;
      seeds += centred * (Sampling.noise(8, position, token) - gamma) / count;
      deciles[(int) (10 * Math.exp(-Math.exp(-noise)))]++;
    }
    double variance = Math.PI * Math.PI / 6;
    double error = 4 / Math.sqrt(count); // four standard errors
    assertThat(mean).isCloseTo(gamma, within(error * Math.sqrt(variance)));
    assertThat(squares).isCloseTo(variance, within(error * variance * Math.sqrt(4.4)));
    assertThat(tokens / variance).describedAs("neighbouring tokens").isCloseTo(0, within(error));
    assertThat(positions / variance).describedAs("next position").isCloseTo(0, within(error));
    assertThat(seeds / variance).describedAs("next seed").isCloseTo(0, within(error));
    double[] even = new double[10];
    Arrays.fill(even, 0.1);
    assertFollows("deciles of the noise", deciles, even);
  }
}
