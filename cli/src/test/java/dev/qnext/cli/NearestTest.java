package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class NearestTest {
  @Test
  void slipsOfTheHand() {
    List<String> keys = List.of("temp", "top-p", "top-k", "threads", "model", "max-tokens");
    assertThat(Nearest.of("tmep", keys, 1)).containsExactly("temp");
    assertThat(Nearest.of("max_tokens", keys, 1)).containsExactly("max-tokens");
    assertThat(Nearest.of("TEMP", keys, 1)).containsExactly("temp");
    assertThat(Nearest.of("top", keys, 2)).containsExactly("top-p", "top-k");
    assertThat(Nearest.of("", keys, 9)).hasSize(6);
    assertThat(Nearest.of("x", List.of(), 1)).isEmpty();
  }

  /** A long name is near by what it holds, not by its length. */
  @Test
  void partsOfLongNames() {
    List<String> models = List.of("demo", "org/Qwen3-Next-80B-A3B-Instruct-4bit", "org/other");
    assertThat(Nearest.of("a3b-instruct", models, 1)).containsExactly(models.get(1));
    assertThat(Nearest.of("Qwen-Next-80B", models, 1)).containsExactly(models.get(1));
  }
}
