package dev.qnext.suites;

import dev.qnext.checkpoint.Safetensors;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What transformers or mlx-lm gave for one golden checkpoint: a JSON object, and tensors. */
final class GoldenResults {
  private final Map<?, ?> facts;
  private final Map<String, StoredTensor> tensors;

  /**
   * @param checkpoint its path below the golden folder, such as {@code tiny/hf}
   */
  GoldenResults(String checkpoint) {
    String path = checkpoint.replace("/", "/expected/");
    facts =
        (Map<?, ?>)
            Objects.requireNonNull(Json.read(Golden.path(path + ".json"), "expected results"));
    tensors = Safetensors.open(Golden.path(path + ".safetensors"), Arena.ofAuto()).tensors();
  }

  Map<?, ?> object(String key) {
    return (Map<?, ?>) Objects.requireNonNull(facts.get(key), key);
  }

  int[] prompt(String name) {
    Map<?, ?> prompt = (Map<?, ?>) Objects.requireNonNull(object("prompts").get(name), name);
    return ids(prompt.get("tokens"));
  }

  boolean has(String tensor) {
    return tensors.containsKey(tensor);
  }

  float[] floats(String tensor) {
    return Objects.requireNonNull(tensors.get(tensor), tensor).floats();
  }

  int[] ints(String tensor) {
    return Objects.requireNonNull(tensors.get(tensor), tensor).ints();
  }

  /** A list of token ids. */
  static int[] ids(@Nullable Object list) {
    return ((List<?>) Objects.requireNonNull(list)).stream().mapToInt(GoldenResults::id).toArray();
  }

  static int id(@Nullable Object number) {
    return Math.toIntExact((Long) Objects.requireNonNull(number));
  }
}
