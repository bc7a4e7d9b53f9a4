package dev.qnext.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.qnext.QnextException;
import dev.qnext.bench.SyntheticShape;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.model.LanguageModel;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Names to formats, and formats to the sizes that facts/quantized-format.md lists. */
class RecipeTest {
  private static final List<String> ATTENTION =
      List.of(
          "model.embed_tokens",
          "lm_head",
          "model.layers.3.self_attn.q_proj",
          "model.layers.3.self_attn.k_proj",
          "model.layers.3.self_attn.v_proj",
          "model.layers.3.self_attn.o_proj",
          "model.layers.40.linear_attn.in_proj_qkvz",
          "model.layers.40.linear_attn.in_proj_ba",
          "model.layers.40.linear_attn.out_proj",
          "model.layers.3.mlp.shared_expert.gate_proj",
          "model.layers.3.mlp.shared_expert.up_proj",
          "model.layers.3.mlp.shared_expert.down_proj");

  private static final List<String> DATA =
      List.of(
          "model.layers.3.mlp.switch_mlp.gate_proj",
          "model.layers.47.mlp.switch_mlp.up_proj",
          "model.layers.3.mlp.switch_mlp.down_proj",
          "model.layers.3.mlp.experts.511.down_proj",
          "model.layers.3.mlp.up_proj");

  private static final List<String> GATES =
      List.of("model.layers.3.mlp.gate", "model.layers.3.mlp.shared_expert_gate");

  private static final List<String> PLAIN =
      List.of(
          "model.norm",
          "model.layers.3.input_layernorm",
          "model.layers.3.post_attention_layernorm",
          "model.layers.3.self_attn.q_norm",
          "model.layers.3.self_attn.k_norm",
          "model.layers.0.linear_attn.norm",
          "model.layers.0.linear_attn.conv1d",
          "model.layers.0.linear_attn.A_log",
          "model.layers.0.linear_attn.dt_bias",
          "mtp.fc",
          "mtp.norm",
          "mtp.layers.0.mlp.gate",
          "mtp.layers.0.mlp.switch_mlp.up_proj",
          "mtp.layers.0.self_attn.q_proj");

  private static void assertFormats(String name, List<String> paths, String format) {
    Recipe recipe = Recipe.of(name);
    assertThat(recipe.name()).isEqualTo(name);
    for (String path : paths) {
      assertThat(recipe.format(path)).describedAs("%s: %s", name, path).hasToString(format);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "qx53n, '5 bit, groups of 64', '3 bit, groups of 64'",
    "qx64n, '6 bit, groups of 64', '4 bit, groups of 64'",
    "qx65n, '6 bit, groups of 64', '5 bit, groups of 64'",
    "qx65n-hi, '6 bit, groups of 32', '5 bit, groups of 32'",
    "qx86n, '8 bit, groups of 64', '6 bit, groups of 64'",
    "qx86n-hi, '8 bit, groups of 32', '6 bit, groups of 32'",
    "qx86-hi, '8 bit, groups of 32', '6 bit, groups of 32'",
    "qx86nx-hi, '8 bit, groups of 32', '6 bit, groups of 32'",
    "qx42x, '4 bit, groups of 64', '2 bit, groups of 64'",
    "2bit, '2 bit, groups of 64', '2 bit, groups of 64'",
    "4bit, '4 bit, groups of 64', '4 bit, groups of 64'",
    "8bit, '8 bit, groups of 64', '8 bit, groups of 64'",
    "mxfp4, mxfp4, mxfp4",
    "mxfp8, mxfp8, mxfp8",
    "nvfp4, nvfp4, nvfp4",
  })
  void everyClassOfModulesHasItsFormat(String name, String attention, String data) {
    assertFormats(name, ATTENTION, attention);
    assertFormats(name, DATA, data);
    assertFormats(name, GATES, "8 bit, groups of 64");
    assertFormats(name, PLAIN, "bf16");
  }

  @Test
  void bf16LeavesAllAsItIs() {
    for (List<String> paths : List.of(ATTENTION, DATA, GATES, PLAIN)) {
      assertFormats("bf16", paths, "bf16");
    }
  }

  @Test
  void allNamesThatAreOfferedWork() {
    for (String name : Recipe.NAMES) {
      assertThat(Recipe.of(name).name()).isEqualTo(name);
    }
  }

  private static long bytes(String name) {
    Recipe recipe = Recipe.of(name);
    long bytes = 0;
    for (WeightSpec spec :
        LanguageModel.layout(SyntheticShape.of("qwen3-next-80b", 0, 0)).weights()) {
      bytes += spec.bytes(recipe.format(spec.path()));
    }
    return bytes;
  }

  /** The pinned size of mlx-community/Qwen3-Coder-Next-4bit, which has the same shapes. */
  @Test
  void fourBitsTakeWhatThePublishedModelTakes() {
    assertThat(bytes("4bit")).isEqualTo(44_844_060_160L);
  }

  /** The table "Sizes for Qwen3-Next-80B-A3B" of facts/quantized-format.md, in GB. */
  @ParameterizedTest
  @CsvSource({
    "bf16, 159.35",
    "3bit, 34.89",
    "mxfp4, 42.36",
    "5bit, 54.80",
    "6bit, 64.75",
    "8bit, 84.66",
    "qx53n, 35.47",
    "qx64n-hi, 50.40",
    "qx86n-hi, 70.30",
  })
  void recipesTakeWhatWasComputedForThem(String name, double size) {
    assertThat(bytes(name) / 1e9).isCloseTo(size, within(0.005));
  }

  @ParameterizedTest
  @ValueSource(strings = {"qx73n", "qx57n", "qx13n", "qx90", "7bit", "1bit", "9bit"})
  void widthsThatNoFormatHasAreRefused(String name) {
    assertThatThrownBy(() -> Recipe.of(name))
        .isInstanceOf(QnextException.class)
        .hasMessageMatching(
            "the recipe %s asks for [0179] bits, but there are formats of 2, 3, 4, 5, 6 and 8 bits"
                .formatted(name));
  }

  @ParameterizedTest
  @CsvSource({
    "qx53m, qx53n",
    "QX53N, qx53n",
    "qx86n-h, qx86n-hi",
    "qx86n_hi, qx86n-hi",
    "4-bit, 4bit",
    "4bits, 4bit",
    "mxfp, mxfp4",
    "fp16, bf16",
    "'', 2bit",
    "qx53xn, qx53n",
  })
  void aTypoIsToldTheNearestName(String name, String nearest) {
    assertThatThrownBy(() -> Recipe.of(name))
        .isInstanceOf(QnextException.class)
        .hasMessageStartingWith(
            "there is no recipe \"%s\"; the nearest is %s, and others are qx53n, "
                .formatted(name, nearest));
  }
}
