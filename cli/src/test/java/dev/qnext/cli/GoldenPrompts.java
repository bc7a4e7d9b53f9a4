package dev.qnext.cli;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Prompts and greedy continuations of the golden checkpoints, as words of a command line. */
final class GoldenPrompts {
  static final String[] CHECKPOINTS = {
    "tiny/hf",
    "tiny/mlx-4bit",
    "tiny/mlx-qx53n",
    "odd/hf",
    "odd/mlx-mxfp4",
    "yarn/hf",
    "yarn/mlx-bf16",
    "yarn/mlx-3bit",
    "yarn/mlx-qx86n-hi"
  };

  private GoldenPrompts() {}

  static String folder(String checkpoint) {
    return Golden.path(checkpoint).toString();
  }

  static Path expected(String checkpoint, String ending) {
    return Golden.path(checkpoint.replace("/", "/expected/") + ending);
  }

  /** A value of the expected results, such as {@code prompts.len7.tokens}. */
  static Object value(String checkpoint, String... keys) {
    Object value = Json.read(expected(checkpoint, ".json"), "expected results");
    for (String key : keys) {
      value = ((Map<?, ?>) value).get(key);
    }
    return value;
  }

  static String ids(String separator, Object list) {
    return ((List<?>) list).stream().map(String::valueOf).collect(Collectors.joining(separator));
  }
}
