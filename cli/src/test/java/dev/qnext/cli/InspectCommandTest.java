package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.GoldenPrompts.folder;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import dev.qnext.json.Json;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class InspectCommandTest {
  private static final String[] CHECKPOINTS = GoldenPrompts.CHECKPOINTS;

  @TempDir private Path temp;

  @ParameterizedTest
  @FieldSource("CHECKPOINTS")
  void factsOfACheckpoint(String checkpoint) {
    Map<?, ?> facts =
        (Map<?, ?>)
            Json.parse(run("inspect", "-m", folder(checkpoint), "--json").quiet().out(), "output");
    assertThat(facts.get("type")).isEqualTo("qwen3_next");
    assertThat(facts.get("layout")).isEqualTo(checkpoint.endsWith("hf") ? "Hugging Face" : "MLX");
    assertThat(facts.get("tokenizer")).isEqualTo(false);
    Map<?, ?> formats = (Map<?, ?>) facts.get("formats");
    long sum = formats.values().stream().mapToLong(bytes -> (Long) bytes).sum();
    assertThat(sum).isPositive().isLessThanOrEqualTo((Long) facts.get("files_bytes"));
  }

  @Test
  void textForAReader() {
    String model = TextFolder.make(temp.resolve("talking")).toString();
    assertThat(run("inspect", "-m", model).quiet().out())
        .containsPattern("(?m)^type +qwen3_next$")
        .containsPattern("(?m)^tokenizer +yes$")
        .containsPattern("(?m)^chat template +yes$");
  }

  @Test
  void everyTensorInOrder() {
    String[] lines =
        run("inspect", "-m", folder("tiny/hf"), "--tensors").quiet().out().split("\n", -1);
    assertThat(lines)
        .contains("lm_head.weight\tBF16\t[512, 128]")
        .contains("model.layers.0.linear_attn.conv1d.weight\tBF16\t[256, 1, 4]");
    assertThat(java.util.Arrays.stream(lines).filter(line -> line.contains("\t"))).isSorted();
  }
}
