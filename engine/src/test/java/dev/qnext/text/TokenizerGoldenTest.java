package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The real vocabulary and the small one against what the tokenizers library gives. */
class TokenizerGoldenTest {
  private static final Tokenizer QWEN3 = Tokenizer.load(TokenizerRealVocabulary.file(), null);

  private static final Tokenizer QWEN3_OLD_FORMAT =
      Tokenizer.load(TokenizerRealVocabulary.fileWithMergesAsStrings(), null);

  @Test
  void encodesAllCases() {
    List<Map<?, ?>> cases = lines("tokenizer/cases.jsonl");
    assertThat(cases).hasSize(745);
    for (Map<?, ?> line : cases) {
      String text = (String) line.get("text");
      int[] ids = ids(line.get("ids"));
      assertThat(QWEN3.encode(text)).as(text).isEqualTo(ids);
      assertThat(QWEN3_OLD_FORMAT.encode(text)).as(text).isEqualTo(ids);
      int[] ordinary = line.containsKey("ids_ordinary") ? ids(line.get("ids_ordinary")) : ids;
      assertThat(QWEN3.encodeOrdinary(text)).as(text).isEqualTo(ordinary);
      assertThat(QWEN3.decode(ordinary)).isEqualTo(nfc(text));
    }
  }

  @Test
  void readsLoneSurrogatesAsReplacementCharacters() {
    List<Map<?, ?>> cases = lines("tokenizer/surrogates.jsonl");
    assertThat(cases).hasSize(9);
    for (Map<?, ?> line : cases) {
      int[] ids = ids(line.get("ids"));
      assertThat(QWEN3.encode((String) line.get("text"))).isEqualTo(ids);
      assertThat(QWEN3.encode((String) line.get("as_if"))).isEqualTo(ids);
    }
  }

  @Test
  void decodesAllCasesWholeAndByPieces() {
    List<Map<?, ?>> cases = lines("tokenizer/decode.jsonl");
    assertThat(cases).hasSize(170);
    for (Map<?, ?> line : cases) {
      int[] ids = ids(line.get("ids"));
      String name = (String) line.get("name");
      assertThat(QWEN3.decode(ids)).as(name).isEqualTo(line.get("text"));
      assertThat(QWEN3.decode(ids, true)).as(name).isEqualTo(line.get("text_skip_special"));
      List<String> pieces = new ArrayList<>();
      TokenDecoder decoder = QWEN3.decoder(false);
      for (int id : ids) {
        pieces.add(decoder.accept(id));
      }
      pieces.add(decoder.finish());
      assertThat(pieces).as(name).isEqualTo(line.get("pieces"));
    }
  }

  /**
   * Newer characters than the library's tables: the JDK normalizes by Unicode 16, and the ids are
   * those of the text so normalized. docs/tokenizer.md counts the differences.
   */
  @Test
  void normalizesNewerCharactersByTheJdk() {
    List<Map<?, ?>> cases = lines("tokenizer/nfc_new_unicode.jsonl");
    assertThat(cases).hasSize(82);
    for (Map<?, ?> line : cases) {
      String text = (String) line.get("text");
      String normalized = (String) line.get("nfc_unicode16");
      assertThat(QWEN3.decode(QWEN3.encode(text))).isEqualTo(normalized);
      assertThat(QWEN3.encode(text)).isEqualTo(QWEN3.encode(normalized));
      assertThat(QWEN3.encode(text)).isNotEqualTo(ids(line.get("ids")));
      assertThat(QWEN3.decode(ids(line.get("ids")))).isEqualTo(line.get("nfc_reference"));
    }
  }

  /** The two counts of docs/tokenizer.md: what the JDK knows and the library does not. */
  @Test
  void knows120MarksAnd21CompositionsMore() {
    Map<?, ?> differences =
        (Map<?, ?>) Json.read(Golden.path("tokenizer/nfc_differences.json"), "differences");
    int marks = 0;
    for (Object range : (List<?>) differences.get("marks")) {
      int first = Integer.parseInt((String) ((List<?>) range).get(0), 16);
      int last = Integer.parseInt((String) ((List<?>) range).get(1), 16);
      for (int mark = first; mark <= last; mark++) {
        // Beside a mark of class 240 and one of class 1: one of the two changes places with it.
        String before = "a\u0345" + Character.toString(mark);
        String after = "a" + Character.toString(mark) + "\u0334";
        assertThat(nfc(before).equals(before) && nfc(after).equals(after)).isFalse();
        marks++;
      }
    }
    assertThat(marks).isEqualTo(120);
    List<?> compositions = (List<?>) differences.get("not_composed");
    assertThat(compositions).hasSize(21);
    for (Object pair : compositions) {
      String parts = characters((String) ((List<?>) pair).get(0));
      assertThat(nfc(parts)).isEqualTo(characters((String) ((List<?>) pair).get(1)));
    }
  }

  private static String nfc(String text) {
    return Normalizer.normalize(text, Normalizer.Form.NFC);
  }

  private static String characters(String codePoints) {
    StringBuilder text = new StringBuilder();
    for (String codePoint : codePoints.split(" ")) {
      text.appendCodePoint(Integer.parseInt(codePoint, 16));
    }
    return text.toString();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"small_tokenizer.json/ids", "small_tokenizer_old_format.json/ids_old_format"})
  void encodesTheSmallCases(String fileAndIds) {
    String[] names = fileAndIds.split("/");
    Tokenizer small = Tokenizer.load(Golden.path("tokenizer/" + names[0]));
    List<Map<?, ?>> cases = lines("tokenizer/small_cases.jsonl");
    assertThat(cases).hasSizeGreaterThan(100);
    for (Map<?, ?> line : cases) {
      int[] ids = ids(line.get(names[1]));
      assertThat(small.encode((String) line.get("text"))).isEqualTo(ids);
      assertThat(small.decode(ids)).isEqualTo(line.get("decoded"));
      assertThat(small.decode(ids, true)).isEqualTo(line.get("decoded_skip_special"));
      List<?> tokens = (List<?>) line.get("tokens");
      for (int i = 0; i < ids.length; i++) {
        assertThat(small.id((String) tokens.get(i))).hasValue(ids[i]);
      }
    }
  }

  private static List<Map<?, ?>> lines(String name) {
    List<Map<?, ?>> lines = new ArrayList<>();
    for (String line : Golden.lines(Golden.path(name))) {
      lines.add((Map<?, ?>) Json.parse(line, name));
    }
    return lines;
  }

  private static int[] ids(Object value) {
    return ((List<?>) value).stream().mapToInt(id -> ((Long) id).intValue()).toArray();
  }
}
