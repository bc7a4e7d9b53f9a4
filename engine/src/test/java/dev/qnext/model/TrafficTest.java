package dev.qnext.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.qnext.bench.SyntheticModel;
import dev.qnext.bench.SyntheticShape;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.TinyModel;
import dev.qnext.quantize.Recipe;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bytes and multiplications of a pass, against figures of others and sums made by hand. */
class TrafficTest {
  @TempDir Path folder;

  /**
   * Of the whole model. Every layer is alike but for its mixer, so the true experts need not be
   * made: what four layers (three and one) take over the rest, twelve times.
   */
  private static double weightBytes(String recipe) {
    double[] bytes = new double[2];
    for (int i = 0; i < 2; i++) {
      Config config = SyntheticShape.of("qwen3-next-80b", 10, 4 * i + 4);
      SyntheticModel model = new SyntheticModel(config, Recipe.of(recipe));
      try (Checkpoint checkpoint = model.make(Arena.ofShared(), 1)) {
        Traffic traffic = Traffic.of(checkpoint);
        double state = 2 * 4.0 * (32 * 128 * 128 + 3 * 8192) * 3 * (i + 1);
        double keysAndValues = 2 * 2 * 256 * 2 * (i + 1);
        bytes[i] = traffic.bytesPerToken(0, 2) - state - keysAndValues;
      }
    }
    double four = bytes[1] - bytes[0];
    double router = 4 * (512 - 10) * (2048 + 2 * 2 * 2048 / 64.0);
    return bytes[0] - four + 12 * (four + router);
  }

  /** The column "active GB per token" of facts/quantized-format.md. */
  @ParameterizedTest
  @CsvSource({"3bit, 1.59", "4bit, 2.03", "qx53n, 2.09"})
  void aTokenReadsWhatWasComputedForTheModel(String recipe, double gigabytes) {
    assertThat(weightBytes(recipe) / 1e9).isCloseTo(gigabytes, within(0.005));
  }

  private Traffic traffic(ModelShape shape, Map<String, Object> changes) {
    Map<String, @Nullable Object> values = shape.config();
    values.putAll(changes);
    Config config = Config.of(Path.of("small", "config.json"), values);
    try (Checkpoint checkpoint =
        new SyntheticModel(config, Recipe.of("bf16")).make(Arena.ofShared(), 1)) {
      return Traffic.of(checkpoint);
    }
  }

  /** Hidden 32, vocabulary 48; one delta layer, one of attention; 4 experts of 32, 2 chosen. */
  @Test
  void everyPartIsCountedAsOftenAsItIsRead() {
    Traffic traffic = traffic(ModelShape.tiny(), Map.of());
    int table = 48 * 32;
    int delta = 32 * (16 + 16 + 32 + 32) + 32 * 4 + 64 * 4 + 2 + 2 + 16 + 32 * 32;
    int attention = 32 * 64 + 2 * 32 * 16 + 2 * 16 + 32 * 32;
    int each = 3 * 32 * 32;
    int layer = 2 * 32 + 4 * 32 + each + 32;
    int fixed = table + delta + attention + 2 * layer + 32;
    int recurrent = 4 * (2 * 16 * 16 + 3 * 64);
    for (int cached : new int[] {2, 4}) {
      for (int depth : new int[] {0, 100}) {
        assertThat(traffic.bytesPerToken(depth, cached))
            .isEqualTo(
                2 * (fixed + 2 * 2 * each + 32)
                    + 2 * recurrent
                    + (depth + 1) * 2 * 16 * (double) cached);
        assertThat(traffic.bytes(3, 3.5, depth, cached))
            .isEqualTo(
                2 * (fixed + 3.5 * 2 * each + 3 * 32)
                    + 2 * recurrent
                    + (depth + 3) * 2 * 16 * (double) cached);
      }
    }
    int body = fixed - table + 2 * 2 * each;
    assertThat(traffic.products(1)).isEqualTo(body + table);
    assertThat(traffic.products(5)).isEqualTo(5.0 * body + table);
  }

  @Test
  void tiedTablesAreReadWholeAsTheHead() {
    double tied =
        traffic(ModelShape.tiny(), Map.of("tie_word_embeddings", true)).bytesPerToken(0, 2);
    assertThat(tied).isEqualTo(traffic(ModelShape.tiny(), Map.of()).bytesPerToken(0, 2));
  }

  /** The published layout has a tensor for each expert; the sums are the same. */
  @Test
  void publishedCheckpointsReadAsMuch() {
    Path path = new TinyModel(ModelShape.quantizable(), 1).published("BF16").write(folder);
    try (Checkpoint published = Checkpoint.open(path)) {
      Traffic traffic = traffic(ModelShape.quantizable(), Map.of());
      assertThat(Traffic.of(published).bytesPerToken(7, 2)).isEqualTo(traffic.bytesPerToken(7, 2));
    }
  }

  /** facts/model.md: 10, 19.8, 29.4, 38.8, 74.7 of 512 for 1, 2, 3, 4, 8 tokens. */
  @Test
  void expertsOfSeveralTokensOverlap() {
    Traffic traffic =
        traffic(ModelShape.tiny(), Map.of("num_experts", 512L, "num_experts_per_tok", 10L));
    double[] expected = {10, 19.8, 29.4, 38.8, 74.7};
    int[] tokens = {1, 2, 3, 4, 8};
    for (int i = 0; i < tokens.length; i++) {
      assertThat(traffic.expectedExperts(tokens[i])).isCloseTo(expected[i], within(0.06));
    }
  }

  /** The formula against draws. */
  @Test
  void theExpectationIsTheMeanOfDraws() {
    Traffic traffic = traffic(ModelShape.tiny(), Map.of());
    SplittableRandom random = new SplittableRandom(1);
    int draws = 200_000;
    long seen = 0;
    for (int i = 0; i < draws; i++) {
      int union = 0;
      for (int t = 0; t < 3; t++) {
        int first = random.nextInt(4);
        int second = random.nextInt(3);
        union |= 1 << first | 1 << (second < first ? second : second + 1);
      }
      seen += Integer.bitCount(union);
    }
    assertThat(traffic.expectedExperts(3)).isCloseTo((double) seen / draws, within(0.01));
  }

  @Test
  void aModelWithoutExpertsReadsNone() {
    Traffic traffic = traffic(ModelShape.tiny(), Map.of("mlp_only_layers", List.of(0L, 1L)));
    assertThat(traffic.bytes(1, 1, 0, 2)).isEqualTo(traffic.bytes(1, 2, 0, 2));
  }
}
