package dev.qnext.bench;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.Config;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Sizes of models that can be made up: config.json as published, with fewer experts or layers. */
public final class SyntheticShape {
  public static final List<String> NAMES = List.of("qwen3-next-80b");

  private SyntheticShape() {}

  /**
   * The configuration of a known model.
   *
   * @param experts 0 for as many as it has
   * @param layers 0 for as many as it has; the first ones remain
   * @throws QnextException if the name is unknown or a number does not fit
   */
  public static Config of(String name, int experts, int layers) {
    if (!NAMES.contains(name)) {
      throw new QnextException(
          "no shape is known by the name \"%s\"; known: %s"
              .formatted(name, String.join(", ", NAMES)));
    }
    Path file = Path.of(name, "config.json");
    Map<String, Object> values = qwen3Next80b();
    Config published = Config.of(file, values);
    Map<String, Object> changed = new LinkedHashMap<>(values);
    if (experts != 0) {
      int least = published.size("num_experts_per_tok");
      changed.put("num_experts", among(published, "num_experts", experts, least));
    }
    if (layers != 0) {
      changed.put("num_hidden_layers", among(published, "num_hidden_layers", layers, 1));
    }
    return Config.of(file, changed);
  }

  private static long among(Config published, String key, int value, int least) {
    int most = published.size(key);
    if (value < least || value > most) {
      throw new QnextException(
          "%s cannot have %s %d; it must be from %d to %d"
              .formatted(published.file().getParent(), key, value, least, most));
    }
    return value;
  }

  /** Qwen/Qwen3-Next-80B-A3B-Instruct. */
  private static Map<String, Object> qwen3Next80b() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("model_type", "qwen3_next");
    values.put("vocab_size", 151_936L);
    values.put("hidden_size", 2048L);
    values.put("num_hidden_layers", 48L);
    values.put("full_attention_interval", 4L);
    values.put("num_attention_heads", 16L);
    values.put("num_key_value_heads", 2L);
    values.put("head_dim", 256L);
    values.put("partial_rotary_factor", 0.25);
    values.put("rope_theta", 10_000_000L);
    values.put("max_position_embeddings", 262_144L);
    values.put("linear_num_key_heads", 16L);
    values.put("linear_num_value_heads", 32L);
    values.put("linear_key_head_dim", 128L);
    values.put("linear_value_head_dim", 128L);
    values.put("linear_conv_kernel_dim", 4L);
    values.put("num_experts", 512L);
    values.put("num_experts_per_tok", 10L);
    values.put("moe_intermediate_size", 512L);
    values.put("shared_expert_intermediate_size", 512L);
    values.put("norm_topk_prob", true);
    values.put("rms_norm_eps", 1e-6);
    values.put("tie_word_embeddings", false);
    return values;
  }
}
