package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NearestTest {
  private static final List<String> WORDS = List.of("/help", "/set", "/show", "/save", "/regen");

  @ParameterizedTest
  @CsvSource({
    "/regn,/regen",
    "/regne,/regen",
    "/sohw,/show",
    "/Help,/help",
    "/sett,/set",
    "/shwo,/show"
  })
  void near(String typed, String meant) {
    assertThat(Nearest.of(typed, WORDS)).isEqualTo(meant);
  }

  @ParameterizedTest
  @CsvSource({"/frob", "/", "/nothing", "/xy"})
  void far(String typed) {
    assertThat(Nearest.of(typed, WORDS)).isNull();
  }

  /** Known distances (kitten and sitting is Levenshtein's own example). */
  @ParameterizedTest
  @CsvSource({"kitten,sitting,3", "ab,ba,1", "'',abc,3", "abc,abc,0", "ca,abc,3"})
  void mistakes(String a, String b, int mistakes) {
    assertThat(Nearest.mistakes(a, b)).isEqualTo(mistakes);
    assertThat(Nearest.mistakes(b, a)).isEqualTo(mistakes);
  }

  @Test
  void ofNothing() {
    assertThat(Nearest.of("/x", List.of())).isNull();
  }

  @Test
  void slipsOfTheHand() {
    List<String> keys = List.of("temp", "top-p", "top-k", "threads", "model", "max-tokens");
    assertThat(Nearest.sorted("tmep", keys, 1)).containsExactly("temp");
    assertThat(Nearest.sorted("max_tokens", keys, 1)).containsExactly("max-tokens");
    assertThat(Nearest.sorted("TEMP", keys, 1)).containsExactly("temp");
    assertThat(Nearest.sorted("top", keys, 2)).containsExactly("top-p", "top-k");
    assertThat(Nearest.sorted("", keys, 9)).hasSize(6);
    assertThat(Nearest.sorted("x", List.of(), 1)).isEmpty();
  }

  /** A long name is near by what it holds, not by its length. */
  @Test
  void partsOfLongNames() {
    List<String> models = List.of("demo", "org/Qwen3-Next-80B-A3B-Instruct-4bit", "org/other");
    assertThat(Nearest.sorted("a3b-instruct", models, 1)).containsExactly(models.get(1));
    assertThat(Nearest.sorted("Qwen-Next-80B", models, 1)).containsExactly(models.get(1));
  }
}
