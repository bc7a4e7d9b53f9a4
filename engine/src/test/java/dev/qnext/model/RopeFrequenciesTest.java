package dev.qnext.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Rope;
import dev.qnext.checkpoint.Config;
import dev.qnext.fixtures.Comparison;
import dev.qnext.fixtures.OpCases;
import dev.qnext.fixtures.OpCases.Case;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Frequencies against transformers' vectors, in both styles of config.json. */
class RopeFrequenciesTest {
  private static final Path FILE = Path.of("config.json");

  static List<Case> golden() {
    return OpCases.of("rope");
  }

  @ParameterizedTest
  @MethodSource
  void golden(Case c) {
    Map<String, Object> config = new HashMap<>();
    for (String key : List.of("rope_theta", "partial_rotary_factor", "rope_scaling")) {
      config.put(key, c.params().get(key));
    }
    Rope rope = RopeFrequencies.of(Config.of(FILE, config), c.size("head_dim"), 262_144);
    assertThat(rope.rotaryDim()).isEqualTo(c.size("rotary_dim"));
    float[] wanted = c.output("inv_freq").floats();
    float[] relative = rope.inverseFrequency().clone();
    float[] ones = new float[relative.length];
    for (int i = 0; i < relative.length; i++) {
      relative[i] /= wanted[i];
      ones[i] = 1;
    }
    Comparison.assertClose(c + " inv_freq, relative", relative, ones, 2e-7);
    assertThat(rope.attentionFactor()).isEqualTo(c.output("attention_factor").floats()[0]);
  }

  @ParameterizedTest
  @MethodSource("golden")
  void underRopeParameters(Case c) {
    Map<String, Object> nested = new HashMap<>();
    if (c.params().get("rope_scaling") instanceof Map<?, ?> scaling) {
      scaling.forEach((key, value) -> nested.put((String) key, value));
    } else {
      nested.put("rope_type", "default");
    }
    nested.put("rope_theta", c.params().get("rope_theta"));
    nested.put("partial_rotary_factor", c.params().get("partial_rotary_factor"));
    Map<String, Object> old = new HashMap<>();
    c.params().forEach((key, value) -> old.put((String) key, value));
    int dim = c.size("head_dim");
    Rope expected = RopeFrequencies.of(Config.of(FILE, old), dim, 262_144);
    Rope actual =
        RopeFrequencies.of(Config.of(FILE, Map.of("rope_parameters", nested)), dim, 262_144);
    Comparison.assertIdentical(c.name(), actual.inverseFrequency(), expected.inverseFrequency());
    assertThat(actual.attentionFactor()).isEqualTo(expected.attentionFactor());
  }

  @Test
  void linearDividesTheFrequencies() {
    Map<String, Object> scaling = Map.of("type", "linear", "factor", 2L);
    Rope plain = RopeFrequencies.of(Config.of(FILE, Map.of()), 64, 4096);
    Rope linear = RopeFrequencies.of(Config.of(FILE, Map.of("rope_scaling", scaling)), 64, 4096);
    assertThat(plain.rotaryDim()).isEqualTo(16);
    for (int i = 0; i < 8; i++) {
      assertThat(linear.inverseFrequency()[i]).isEqualTo(plain.inverseFrequency()[i] / 2);
    }
  }

  @Test
  void olderKeyCountsWhereAFileHasBoth() {
    Map<String, Object> linear = Map.of("type", "linear", "factor", 2L);
    Map<String, Object> newer = Map.of("rope_type", "default", "rope_theta", 500L);
    Rope both = rope(Map.of("rope_scaling", linear, "rope_parameters", newer));
    Comparison.assertIdentical(
        "rope_scaling",
        both.inverseFrequency(),
        rope(Map.of("rope_scaling", linear)).inverseFrequency());
    Rope empty = rope(Map.of("rope_scaling", Map.of(), "rope_parameters", newer));
    Comparison.assertIdentical(
        "rope_parameters",
        empty.inverseFrequency(),
        rope(Map.of("rope_parameters", newer)).inverseFrequency());
  }

  @Test
  void zeroBetasAreTheDefaults() {
    Map<String, Object> yarn =
        Map.of("type", "yarn", "factor", 4L, "original_max_position_embeddings", 64L);
    Map<String, Object> zero = new HashMap<>(yarn);
    zero.put("beta_fast", 0L);
    zero.put("beta_slow", 0L);
    Comparison.assertIdentical(
        "betas",
        rope(Map.of("rope_scaling", zero)).inverseFrequency(),
        rope(Map.of("rope_scaling", yarn)).inverseFrequency());
  }

  private static Rope rope(Map<String, Object> config) {
    return RopeFrequencies.of(Config.of(FILE, config), 64, 4096);
  }

  @Test
  void contextLimitIsWhatYarnStretchesTo() {
    assertThat(limit(Map.of())).isEqualTo(1000);
    assertThat(
            limit(
                Map.of(
                    "rope_type", "yarn", "factor", 4.0, "original_max_position_embeddings", 500L)))
        .isEqualTo(2000);
    assertThat(limit(Map.of("rope_type", "yarn", "factor", 4.0))).isEqualTo(4000);
    assertThat(limit(Map.of("rope_type", "yarn", "original_max_position_embeddings", 500L)))
        .describedAs("without a factor it is the ratio of both lengths")
        .isEqualTo(1000);
  }

  private static long limit(Map<String, Object> scaling) {
    return RopeFrequencies.contextLimit(Config.of(FILE, Map.of("rope_scaling", scaling)), 1000);
  }
}
