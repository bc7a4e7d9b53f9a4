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
}
