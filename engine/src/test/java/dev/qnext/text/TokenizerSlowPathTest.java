package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Random texts of many scripts, with the real vocabulary: the way that is taken against the
 * plainest one, which is the JDK's NFC and regular expressions, and merges by definition.
 */
class TokenizerSlowPathTest {
  /** First and last code points of what letters are drawn from; marks, symbols and spaces too. */
  private static final int[][] SCRIPTS = {
    {0x20, 0x7E},
    {0x20, 0x7E},
    {0x9, 0xD},
    {0xA0, 0x24F},
    {0x300, 0x36F},
    {0x370, 0x3FF},
    {0x400, 0x4FF},
    {0x5D0, 0x5EA},
    {0x620, 0x669},
    {0x900, 0x97F},
    {0xE01, 0xE4E},
    {0x1100, 0x11FF},
    {0x1E00, 0x1EFF},
    {0x2000, 0x206F},
    {0x20A0, 0x20BF},
    {0x2100, 0x214F},
    {0x3000, 0x30FF},
    {0x4E00, 0x9FFF},
    {0xAC00, 0xD7A3},
    {0xF900, 0xFA6D},
    {0xFF00, 0xFFEF},
    {0x1D400, 0x1D7FF},
    {0x1F300, 0x1FAFF},
    {0x20000, 0x2A6DF},
    {0x2F800, 0x2FA1D},
  };

  private static final TokenizerTables TABLES = TokenizerFile.read(TokenizerRealVocabulary.file());
  private static final Tokenizer TOKENIZER = Tokenizer.load(TokenizerRealVocabulary.file(), null);
  private static final PreTokenizer REGEX =
      PreTokenizerRegex.isolating(PreTokenizerRegex.compile(PreTokenizerScanner.QWEN3));

  @Test
  void encodesRandomTextsAsThePlainestWayDoes() {
    List<String> words = words();
    Random random = new Random(41);
    for (int round = 0; round < 3000; round++) {
      StringBuilder text = new StringBuilder();
      for (int parts = 1 + random.nextInt(12); parts > 0; parts--) {
        if (random.nextInt(3) == 0) {
          int[] script = SCRIPTS[random.nextInt(SCRIPTS.length)];
          for (int i = random.nextInt(round % 30 == 0 ? 200 : 8); i >= 0; i--) {
            text.appendCodePoint(random.nextInt(script[0], script[1] + 1));
          }
        } else {
          text.append(words.get(random.nextInt(words.size())));
          text.append(" ".repeat(random.nextInt(3)));
        }
      }
      assertThat(TOKENIZER.encodeOrdinary(text.toString()))
          .as(text.toString())
          .isEqualTo(ids(text.toString()));
    }
  }

  private static int[] ids(String text) {
    char[] normalized = Normalizer.normalize(text, Normalizer.Form.NFC).toCharArray();
    List<int[]> ids = new ArrayList<>();
    REGEX.split(
        normalized,
        0,
        normalized.length,
        (t, from, to) ->
            ids.add(
                BytePairEncoderTest.byDefinition(TABLES.model(), new String(t, from, to - from))));
    return ids.stream().flatMapToInt(IntStream::of).toArray();
  }

  /** The words of the golden texts. */
  private static List<String> words() {
    List<String> words = new ArrayList<>();
    for (String line : Golden.lines(Golden.path("tokenizer/cases.jsonl"))) {
      String text = (String) ((Map<?, ?>) Json.parse(line, "cases")).get("text");
      for (String word : text.split(" ", 50)) {
        // Lone surrogates become another character in the tokenizer only.
        if (WellFormed.is(word) && word.length() < 100) {
          words.add(word);
        }
      }
    }
    assertThat(words).hasSizeGreaterThan(1000);
    return words;
  }
}
