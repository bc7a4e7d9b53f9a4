package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopStringsTest {
  /** What comes out for each piece, and at the end. */
  private static List<String> cut(List<String> stops, String... pieces) {
    StopStrings cutter = new StopStrings(stops);
    List<String> out = new ArrayList<>();
    for (String piece : pieces) {
      out.add(cutter.accept(piece));
    }
    out.add(cutter.finish());
    return out;
  }

  @Test
  void withoutStopStringsNothingIsHeldBack() {
    assertThat(cut(List.of(), "ab", "", "c")).containsExactly("ab", "", "c", "");
    assertThat(cut(List.of("", ""), "ab", "c")).containsExactly("ab", "c", "");
  }

  @Test
  void aStopStringInsideAPiece() {
    assertThat(cut(List.of("\n\n"), "one\n\ntwo", "three")).containsExactly("one", "", "");
  }

  @Test
  void aStopStringOverSeveralPieces() {
    assertThat(cut(List.of("STOP"), "aS", "T", "", "O", "Pb"))
        .containsExactly("a", "", "", "", "", "");
    assertThat(cut(List.of("STOP"), "S", "T", "O", "S", "TOP", "x"))
        .containsExactly("", "", "", "STO", "", "", "");
  }

  @Test
  void whatWasHeldBackComesAtTheEnd() {
    assertThat(cut(List.of("STOP"), "go ST")).containsExactly("go ", "ST");
    assertThat(cut(List.of("STOP"), "go ST", "ART")).containsExactly("go ", "START", "");
  }

  @Test
  void aPrefixThatOverlapsItself() {
    assertThat(cut(List.of("aab"), "a", "a", "a", "a", "b", "c"))
        .containsExactly("", "", "a", "a", "", "", "");
    assertThat(String.join("", cut(List.of("abab"), "aba", "cab", "ab", "ab"))).isEqualTo("abac");
  }

  @Test
  void theFirstOfSeveralWins() {
    assertThat(cut(List.of("cd", "bc"), "abcd")).containsExactly("a", "");
    assertThat(cut(List.of("c", "bcd"), "ab", "cx")).containsExactly("a", "b", "");
  }

  /** "c" is complete before "abcd" is, but stands behind it. */
  @Test
  void aLongerOneThatBeganBeforeIsWaitedFor() {
    assertThat(cut(List.of("c", "abcd"), "xab", "c", "d")).containsExactly("x", "", "", "");
    assertThat(cut(List.of("c", "abcd"), "xab", "c", "e")).containsExactly("x", "", "ab", "");
    assertThat(cut(List.of("c", "abcd"), "xab", "c")).containsExactly("x", "", "ab");
  }

  @Test
  void foundIsKnownAsSoonAsNothingCanChangeIt() {
    StopStrings stops = new StopStrings(List.of("ab", "bcd"));
    stops.accept("xa");
    assertThat(stops.found()).isFalse();
    stops.accept("b");
    assertThat(stops.found()).isTrue();
  }

  @Test
  void anyCutOfAnyTextEndsAtTheFirstOccurrence() {
    Random random = new Random(40);
    int stopped = 0;
    int held = 0;
    for (int i = 0; i < 20_000; i++) {
      int letters = 2 + random.nextInt(3);
      String text = text(random, random.nextInt(40), letters);
      List<String> stops = new ArrayList<>();
      for (int n = random.nextInt(4); n > 0; n--) {
        stops.add(text(random, 1 + random.nextInt(6), letters));
      }
      int first = text.length();
      for (String stop : stops) {
        int at = text.indexOf(stop);
        first = at < 0 ? first : Math.min(first, at);
      }
      StopStrings cutter = new StopStrings(stops);
      StringBuilder out = new StringBuilder();
      for (int from = 0; from < text.length() && !cutter.found(); ) {
        int to = Math.min(text.length(), from + random.nextInt(5));
        out.append(cutter.accept(text.substring(from, to)));
        assertThat(text).startsWith(out);
        from = to;
      }
      held += out.length() < first ? 1 : 0;
      out.append(cutter.finish());
      assertThat(out.toString())
          .describedAs("%s in %s", stops, text)
          .isEqualTo(text.substring(0, first));
      stopped += first < text.length() ? 1 : 0;
      assertThat(cutter.found()).isEqualTo(first < text.length());
    }
    assertThat(stopped).isGreaterThan(5_000);
    assertThat(held).describedAs("texts whose end was held back").isGreaterThan(1_000);
  }

  private static String text(Random random, int length, int letters) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < length; i++) {
      text.append((char) ('a' + random.nextInt(letters)));
    }
    return text.toString();
  }
}
