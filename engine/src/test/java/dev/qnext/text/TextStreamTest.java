package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TextStreamTest {
  private static final Tokenizer TOKENIZER =
      Tokenizer.load(Golden.path("tokenizer/small_tokenizer.json"));

  private record Case(int[] ids, String text) {}

  /** Texts and ids of the tokenizers library. */
  private static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (String line : Golden.lines(Golden.path("tokenizer/small_cases.jsonl"))) {
      Map<?, ?> values = (Map<?, ?>) Json.parse(line, "small_cases.jsonl");
      int[] ids = ((List<?>) values.get("ids")).stream().mapToInt(i -> (int) (long) i).toArray();
      cases.add(new Case(ids, (String) values.get("decoded_skip_special")));
    }
    return cases;
  }

  private static String streamed(int[] ids, List<String> stops) {
    TextStream stream = new TextStream(TOKENIZER, stops);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < ids.length && !stream.stopped(); i++) {
      text.append(stream.accept(ids[i]));
    }
    return text.append(stream.finish()).toString();
  }

  @Test
  void goldenTextsComeWhole() {
    for (Case c : cases()) {
      assertThat(streamed(c.ids, List.of())).isEqualTo(c.text);
    }
  }

  @Test
  void anyPartOfAGoldenTextStopsIt() {
    Random random = new Random(50);
    int stopped = 0;
    for (int round = 0; round < 20; round++) {
      for (Case c : cases()) {
        List<String> stops = new ArrayList<>();
        int first = c.text.length();
        for (int n = 1 + random.nextInt(3); n > 0 && !c.text.isEmpty(); n--) {
          String stop = part(random, c.text);
          // Every other one differs from the text in its last character, so it only begins there.
          if (random.nextBoolean()) {
            stop = stop.substring(0, stop.length() - 1) + "\u2603";
          }
          stops.add(stop);
          int at = c.text.indexOf(stop);
          first = at < 0 ? first : Math.min(first, at);
        }
        assertThat(streamed(c.ids, stops))
            .describedAs("%s in \"%s\"", stops, c.text)
            .isEqualTo(c.text.substring(0, first));
        stopped += first < c.text.length() ? 1 : 0;
      }
    }
    assertThat(stopped).isGreaterThan(1000);
  }

  /** Whole characters, as anyone would give them. */
  private static String part(Random random, String text) {
    int[] points = text.codePoints().toArray();
    int from = random.nextInt(points.length);
    int count = 1 + random.nextInt(Math.min(points.length - from, 8));
    return new String(points, from, count);
  }

  @Test
  void aCharacterOfSeveralTokensIsShownWhenItIsWhole() {
    int[] ids = TOKENIZER.encode("a\u4e9b\ud840\udc00b");
    assertThat(ids).describedAs("cut inside characters").hasSizeGreaterThan(4);
    TextStream stream = new TextStream(TOKENIZER, List.of());
    List<String> pieces = new ArrayList<>();
    for (int id : ids) {
      String piece = stream.accept(id);
      if (!piece.isEmpty()) {
        pieces.add(piece);
      }
    }
    assertThat(pieces).containsExactly("a", "\u4e9b", "\ud840\udc00", "b");
    assertThat(stream.finish()).isEmpty();
  }

  @Test
  void aStopStringInTheMiddleOfACharactersTokens() {
    int[] ids = TOKENIZER.encode("one \ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67 two");
    assertThat(streamed(ids, List.of("\ud83d\udc69"))).isEqualTo("one \ud83d\udc68\u200d");
    assertThat(streamed(ids, List.of("\u200d\ud83d\udc67", "two")))
        .isEqualTo("one \ud83d\udc68\u200d\ud83d\udc69");
  }

  @Test
  void aCharacterThatIsCutOffBecomesAReplacementAtTheEnd() {
    int[] ids = TOKENIZER.encode("a\u4e9b");
    assertThat(TOKENIZER.bytes(ids[ids.length - 1]).length)
        .isLessThan("\u4e9b".getBytes(StandardCharsets.UTF_8).length);
    int[] cut = Arrays.copyOf(ids, ids.length - 1);
    assertThat(streamed(cut, List.of())).isEqualTo("a\ufffd");
    assertThat(streamed(cut, List.of("a\ufffdb"))).describedAs("held back").isEqualTo("a\ufffd");
    assertThat(streamed(cut, List.of("\ufffd"))).describedAs("stopped at the end").isEqualTo("a");
  }

  @Test
  void specialTokensAreNoText() {
    int[] ids = TOKENIZER.encode("one<|im_end|> two<|im_start|>");
    assertThat(streamed(ids, List.of())).isEqualTo("one two");
    assertThat(streamed(ids, List.of("e t"))).describedAs("across a special token").isEqualTo("on");
  }

  @Test
  void randomIdsAreWhatTheTokenizerDecodes() {
    Random random = new Random(51);
    for (int i = 0; i < 300; i++) {
      int[] ids = random.ints(random.nextInt(30), 0, TOKENIZER.size()).toArray();
      String text = TOKENIZER.decode(ids, true);
      assertThat(streamed(ids, List.of())).isEqualTo(text);
      List<String> stops = List.of(text.isEmpty() ? "x" : part(random, text));
      int at = text.indexOf(stops.getFirst());
      assertThat(streamed(ids, stops)).isEqualTo(at < 0 ? text : text.substring(0, at));
    }
  }
}
