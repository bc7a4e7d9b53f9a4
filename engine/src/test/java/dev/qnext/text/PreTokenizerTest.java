package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.qnext.QnextException;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The classes against the reference's, the scanner against the pattern it stands for. */
class PreTokenizerTest {
  private static final String O200K =
      "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
          + "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+";

  private static final PreTokenizer QWEN3 = new PreTokenizerScanner(false);
  private static final PreTokenizer QWEN35 = new PreTokenizerScanner(true);
  private static final PreTokenizer QWEN3_REGEX = regex(PreTokenizerScanner.QWEN3);
  private static final PreTokenizer QWEN35_REGEX = regex(PreTokenizerScanner.QWEN35);

  @Test
  void hasTheClassesOfTheReference() {
    Map<?, ?> classes = (Map<?, ?>) Json.read(Golden.path("tokenizer/classes.json"), "classes");
    assertThat(those(CharacterClasses::isLetter)).isEqualTo(ranges(classes.get("L")));
    assertThat(those(CharacterClasses::isNumber)).isEqualTo(ranges(classes.get("N")));
    assertThat(those(CharacterClasses::isWhiteSpace)).isEqualTo(ranges(classes.get("S")));
  }

  @Test
  void scansEveryCharacterAsThePatternDoes() {
    // Beyond lie private and unassigned characters, all of one kind.
    for (int c = 0; c < 0x32400; c++) {
      if (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) {
        String s = Character.toString(c);
        for (String text : List.of(s, "a" + s + s + "b", " " + s + "1", "'" + s + "\n" + s + " ")) {
          assertSame(text);
        }
      }
    }
  }

  @Test
  void scansRandomTextsAsThePatternDoes() {
    int[] characters =
        "      \n\n\r\t'''sStTmMdDlLrRvVeEſxyZé中1٣½!.-<|\u0301\u0345\u00A0\u0085\u2028\u3000\u200B\uFEFF\u001C🙂𝐀𝟎"
            .codePoints()
            .toArray();
    Random random = new Random(31);
    for (int round = 0; round < 100_000; round++) {
      StringBuilder text = new StringBuilder();
      for (int length = random.nextInt(12); length >= 0; length--) {
        text.appendCodePoint(characters[random.nextInt(characters.length)]);
      }
      assertSame(text.toString());
    }
  }

  @Test
  void looksNotBeyondTheGivenPlaces() {
    assertThat(pieces(QWEN3, "a  b 's", 1, 3)).containsExactly("  ");
    assertThat(pieces(QWEN3_REGEX, "a  b 's", 1, 3)).containsExactly("  ");
    assertThat(pieces(QWEN3, "don's", 3, 4)).containsExactly("'");
    assertThat(pieces(QWEN3_REGEX, "don's", 3, 4)).containsExactly("'");
  }

  @Test
  void cutsLongTexts() {
    for (PreTokenizer cutter : List.of(QWEN3, QWEN3_REGEX, regex(PreTokenizerRegex.GPT2))) {
      for (String text : List.of(" ", "a", "!", "\n", " \n", "🙂")) {
        char[] longText = (text.repeat(1 << 20) + "a").toCharArray();
        int[] length = {0};
        assertTimeoutPreemptively(
            Duration.ofSeconds(60),
            () ->
                cutter.split(
                    longText, 0, longText.length, (t, from, to) -> length[0] += to - from));
        assertThat(length[0]).isEqualTo(longText.length);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"a*a*a*a*a*a*b", "a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?b"})
  void endsPatternsThatTakeTooManySteps(String pattern) {
    String text = "a".repeat(5000);
    assertThatThrownBy(() ->
            assertTimeoutPreemptively(
                Duration.ofSeconds(60), () -> pieces(regex(pattern), text, 0, text.length())))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining("too many steps")
        .hasMessageContaining("5000 characters");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(?<=a)b",
        "(?i)a",
        "(?:ab)+",
        "(a)*",
        "(a){2}",
        "a{1,2}{3}",
        "a{1000}",
        "[a[b]]",
        "[a&&b]",
        "[]a]",
        "\\w",
        "\\bx",
        "\\x41",
        "\\ud800",
        "\\p{^L}",
        "\\pL",
        "^a",
        "a$",
        "\\",
        "[a",
        "(a",
        "a)",
        "*",
        "\\p{Nonsense}",
        "\\u00g0"
      })
  void refusesOtherConstructs(String pattern) {
    assertThatThrownBy(() -> PreTokenizerRegex.compile(pattern))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Damaged patterns are refused, or cut the whole text, or take too many steps. */
  @Test
  void survivesDamagedPatterns() {
    List<String> patterns =
        List.of(
            PreTokenizerScanner.QWEN3, PreTokenizerScanner.QWEN35, PreTokenizerRegex.GPT2, O200K);
    String signs = "\\\\pPuLNsS{}[]()?*+|^$-&.:=!i'0139,\n \u00E9";
    String text = "The HTTPServer's 12345 'ſ e\u0301 中文 🙂\r\n  \n\t" + "aaa   ".repeat(200);
    int used = 0;
    for (int seed = 0; seed < 4000; seed++) {
      Random random = new Random(seed);
      StringBuilder pattern = new StringBuilder(patterns.get(seed % patterns.size()));
      for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
        int at = random.nextInt(pattern.length());
        switch (random.nextInt(3)) {
          case 0 -> pattern.setCharAt(at, signs.charAt(random.nextInt(signs.length())));
          case 1 -> pattern.insert(at, signs.charAt(random.nextInt(signs.length())));
          default -> pattern.delete(at, at + 1 + random.nextInt(5));
        }
      }
      try {
        PreTokenizer cutter = regex(pattern.toString());
        used++;
        List<String> pieces =
            assertTimeoutPreemptively(
                Duration.ofSeconds(30), () -> pieces(cutter, text, 0, text.length()));
        assertThat(String.join("", pieces)).isEqualTo(text);
      } catch (IllegalArgumentException | QnextException e) {
        assertThat(e.getMessage()).isNotBlank();
      }
    }
    assertThat(used).isBetween(500, 3500);
  }

  private static void assertSame(String text) {
    assertThat(pieces(QWEN3, text, 0, text.length()))
        .isEqualTo(pieces(QWEN3_REGEX, text, 0, text.length()));
    assertThat(pieces(QWEN35, text, 0, text.length()))
        .isEqualTo(pieces(QWEN35_REGEX, text, 0, text.length()));
  }

  private static PreTokenizer regex(String pattern) {
    return PreTokenizerRegex.isolating(PreTokenizerRegex.compile(pattern));
  }

  private static List<String> pieces(PreTokenizer cutter, String text, int from, int to) {
    List<String> pieces = new ArrayList<>();
    cutter.split(
        text.toCharArray(),
        from,
        to,
        (t, start, end) -> pieces.add(new String(t, start, end - start)));
    return pieces;
  }

  private static BitSet those(IntPredicate predicate) {
    BitSet set = new BitSet();
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      if (predicate.test(c)) {
        set.set(c);
      }
    }
    return set;
  }

  private static BitSet ranges(Object list) {
    BitSet set = new BitSet();
    for (Object item : (List<?>) list) {
      String[] ends = ((String) item).split("-");
      set.set(Integer.parseInt(ends[0], 16), Integer.parseInt(ends[ends.length - 1], 16) + 1);
    }
    return set;
  }
}
