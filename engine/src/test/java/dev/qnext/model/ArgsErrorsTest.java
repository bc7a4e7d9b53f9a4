package dev.qnext.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.TinyModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One test per sentence about what config.json asks of the model. */
class ArgsErrorsTest {
  private static final Path FILE = Path.of("config.json");

  @TempDir Path folder;

  private static Qwen3Next.Args args(Object... changes) {
    Map<String, @Nullable Object> config = ModelShape.tiny().config();
    for (int i = 0; i < changes.length; i += 2) {
      config.put((String) changes[i], changes[i + 1]);
    }
    return Qwen3Next.Args.of(Config.of(FILE, config));
  }

  private static void assertWrong(String message, Object... changes) {
    assertThatThrownBy(() -> args(changes))
        .isInstanceOf(QnextException.class)
        .hasMessage("config.json" + message);
  }

  @Test
  void theTinyShapeIsSound() {
    assertThatCode(() -> args()).doesNotThrowAnyException();
    assertThat(args("num_experts", 0L).sparse()).containsOnly(false);
    assertThat(args("mlp_only_layers", List.of(1L, 7L)).sparse()).containsExactly(true, false);
    assertThat(args("decoder_sparse_step", 2L).sparse()).containsExactly(false, true);
  }

  @ParameterizedTest
  @ValueSource(strings = {"hidden_size", "num_hidden_layers", "vocab_size"})
  void missing(String key) {
    assertWrong(" lacks \"%s\"".formatted(key), key, null);
  }

  @Test
  void headsThatDoNotDivide() {
    assertWrong(
        ": \"num_key_value_heads\" is 3 but must be a divisor of num_attention_heads 2",
        "num_key_value_heads",
        3L);
    assertWrong(
        ": \"linear_num_key_heads\" is 3 but must be a divisor of linear_num_value_heads 2",
        "linear_num_key_heads",
        3L);
  }

  @Test
  void moreExpertsThanThereAre() {
    assertWrong(
        ": \"num_experts_per_tok\" is 5 but must be at most num_experts 4",
        "num_experts_per_tok",
        5L);
  }

  @Test
  void unsupportedSwitches() {
    assertWrong(": \"hidden_act\" is \"gelu\" but must be \"silu\"", "hidden_act", "gelu");
    assertWrong(": \"attention_bias\" is true but must be false", "attention_bias", true);
  }

  @Test
  void sizesThatNoModelHas() {
    assertWrong(
        ": \"num_hidden_layers\" is 4097 but must be at most 4096", "num_hidden_layers", 4097L);
    assertWrong(
        ": \"hidden_size\" is 1000000000 but must be at most 16777216",
        "hidden_size",
        1_000_000_000L);
    assertWrong(": \"head_dim\" is 65537 but must be at most 65536", "head_dim", 65_537L);
    assertWrong(
        ": \"head_dim\" is 65536 but must be at most 16384",
        "head_dim",
        65_536L,
        "num_attention_heads",
        1024L);
    assertWrong(
        ": \"linear_value_head_dim\" is 8388609 but must be at most 8388608",
        "linear_value_head_dim",
        8_388_609L);
    assertWrong(
        ": \"linear_key_head_dim\" is 65537 but must be at most 65536",
        "linear_key_head_dim",
        65_537L);
    assertWrong(
        ": \"linear_conv_kernel_dim\" is 33 but must be at most 32", "linear_conv_kernel_dim", 33L);
  }

  @Test
  void layerTypes() {
    assertWrong(
        ": \"layer_types\" is [\"full_attention\"] but must be a list of num_hidden_layers 2 entries",
        "layer_types",
        List.of("full_attention"));
    for (String type : List.of("sliding_attention", "")) {
      assertWrong(
          ": \"layer_types\" is \"%s\" but must be \"full_attention\" or \"linear_attention\""
              .formatted(type),
          "layer_types",
          List.of("linear_attention", type));
    }
  }

  @Test
  void rotation() {
    String wanted =
        " but must be a share of head_dim 16 that makes an even number of rotated dimensions";
    for (Object share : List.of(0.2, 2.0, 0.05, -1.0)) {
      assertWrong(
          ": \"partial_rotary_factor\" is %s".formatted(share) + wanted,
          "partial_rotary_factor",
          share);
    }
    assertWrong(": \"rope_theta\" is 0.0 but must be a number above 0", "rope_theta", 0L);
    assertWrong(
        ": \"rope_scaling.rope_type\" is \"llama3\" but must be one of \"default\", \"linear\", \"yarn\"",
        "rope_scaling",
        Map.of("rope_type", "llama3"));
    assertWrong(
        ": \"rope_scaling.factor\" is -0.5 but must be a number above 0",
        "rope_scaling",
        Map.of("rope_type", "yarn", "factor", -0.5));
    assertWrong(
        ": \"rope_scaling.factor\" is null but must be a number above 0",
        "rope_scaling",
        Map.of("type", "linear"));
  }

  @Test
  void anotherArchitecture() {
    var model = new TinyModel(ModelShape.tiny(), 1).published("BF16");
    model.config().put("model_type", "llama");
    model.write(folder);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThatThrownBy(() -> LanguageModel.load(checkpoint, new ReferenceBackend()))
          .isInstanceOf(QnextException.class)
          .hasMessage(
              "%s is of the type \"llama\", which is not supported; supported: qwen3_next"
                  .formatted(folder));
    }
  }
}
