package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The public face, and one test per refusal. */
class TokenizerTest {
  private static final Path SMALL_FILE = Golden.path("tokenizer/small_tokenizer.json");
  private static final Tokenizer SMALL = Tokenizer.load(SMALL_FILE);

  @TempDir private Path folder;

  @Test
  void tellsWhatATokenIs() {
    assertThat(SMALL.size()).isEqualTo(1026);
    assertThat(SMALL.id("<|im_end|>")).hasValue(1002);
    assertThat(SMALL.isSpecial(1002)).isTrue();
    assertThat(SMALL.bytes(1002)).asString(StandardCharsets.UTF_8).isEqualTo("<|im_end|>");
    int think = SMALL.id("<think>").orElseThrow();
    assertThat(SMALL.isSpecial(think)).isFalse();
    assertThat(SMALL.bytes(SMALL.id("Ġthe").orElseThrow()))
        .asString(StandardCharsets.UTF_8)
        .isEqualTo(" the");
    assertThat(SMALL.id(" the")).isEmpty();
    assertThat(SMALL.id("no such token")).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"-1", "1026", "151935", "2147483647", "-2147483648"})
  void takesUnknownIdsForNothing(int id) {
    assertThat(SMALL.bytes(id)).isEmpty();
    assertThat(SMALL.isSpecial(id)).isFalse();
    assertThat(SMALL.decode(new int[] {64, id, 65})).isEqualTo("ab");
  }

  @Test
  void handsOutCopiesOfItsBytes() {
    SMALL.bytes(64)[0] = 'z';
    assertThat(SMALL.decode(new int[] {64})).isEqualTo("a");
  }

  @Test
  void isForManyThreads() {
    String text = String.join("\n", Golden.lines(Golden.path("tokenizer/small_cases.jsonl")));
    int[] ids = Tokenizer.load(SMALL_FILE).encode(text);
    Tokenizer shared = Tokenizer.load(SMALL_FILE);
    boolean same =
        IntStream.range(0, 64).parallel().allMatch(i -> Arrays.equals(ids, shared.encode(text)));
    assertThat(same).isTrue();
  }

  @Test
  void encodesFiftyMegabytes() {
    String line = "int[] ids = tokenizer.encode(\"Zwölf Boxkämpfer\"); // 中文 🙂\n";
    Tokenizer qwen3 = Tokenizer.load(TokenizerRealVocabulary.file());
    int[] one = qwen3.encode(line);
    int lines = 50_000_000 / line.getBytes(StandardCharsets.UTF_8).length;
    int[] all = qwen3.encode(line.repeat(lines));
    assertThat(all).hasSize(lines * one.length);
    for (int i = 0; i < all.length; i += 997) {
      assertThat(all[i]).isEqualTo(one[i % one.length]);
    }
  }

  @Test
  void namesTheFolderWithoutATokenizer() {
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining(folder.resolve("tokenizer.json") + " does not exist");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[]                          | '{' is missing at byte 0",
        "{\"model\": 3}              | '{' is missing at byte 10",
        "{\"a\": \"b                 | the end of a string is missing at byte 8",
        "{\"a\": tru}                | is not valid JSON",
        "{\"a\": 1,}                 | '\"' is missing at byte 8",
        "{\"a\" 1}                   | ':' is missing at byte 5",
        "{} x                        | the end is missing at byte 3",
        "{}                          | model.vocab is missing or empty",
        "{\"model\":{\"vocab\":{\"a\":-1}}}           | a whole number is missing",
        "{\"model\":{\"vocab\":{\"a\":1.5}}}          | ',' is missing",
        "{\"model\":{\"vocab\":{\"a\":9999999999}}}   | a whole number of nine digits is missing",
        "{\"model\":{\"vocab\":{\"a\":999999999}}}    | has the id 999999999; the limit is 4194303",
        "{\"model\":{\"vocab\":{\"a\":1,\"b\":1}}}    | the id 1 or its token twice",
        "{\"model\":{\"vocab\":{\"a\":1,\"a\":2}}}    | the id 2 or its token twice",
        "{\"model\":{\"vocab\":{\"中\":1,\"中\":2}}}  | the id 2 or its token twice",
        "{\"model\":{\"vocab\":{\"\\x\":1}}}          | an escape is missing",
        "{\"model\":{\"vocab\":{\"\\u00g0\":1}}}      | four hexadecimal digits is missing",
        "{\"model\":{\"vocab\":{\"a\":1},\"merges\":[\"aa\"]}}     | merges[0] is not two tokens",
        "{\"model\":{\"vocab\":{\"a\":1},\"merges\":[\"a b c\"]}}  | merges[0] is not two tokens",
        "{\"model\":{\"vocab\":{\"a\":1},\"merges\":[[\"a\"]]}}    | ',' is missing",
        "{\"model\":{\"vocab\":{\"a\":1},\"merges\":[[\"a\",\"中\"]]}} | merges[0] is not two tokens",
      })
  void refusesABrokenFile(String json, String message) throws IOException {
    assertRefused(json, message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "normalizer     | {\"type\":\"Lowercase\"}     | normalizer.type = Lowercase is not supported",
        "normalizer     | {\"type\":3}                 | normalizer.type = 3 is not supported: a string",
        "normalizer     | []                           | tokenizer.json: normalizer is not an object",
        "pre_tokenizer  | null                         | pre_tokenizer = null is not supported",
        "pre_tokenizer  | {\"type\":\"Whitespace\"}    | ByteLevel has to be the last of its steps",
        "post_processor | {\"type\":\"TemplateProcessing\"} | post_processor.type = TemplateProcessing",
        "decoder        | null                         | one ByteLevel decoder is needed",
        "decoder        | {\"type\":\"Metaspace\"}     | one ByteLevel decoder is needed",
        "added_tokens   | 3                            | added_tokens is not an array",
        "added_tokens   | [{\"content\":\"x\"}]        | the id of \"x\" is not a whole number",
        "added_tokens   | [{\"id\":1000,\"content\":\"\\ud800\"}] | half a character",
        "added_tokens   | [{\"id\":5,\"content\":\"<x>\"}]     | which model.vocab gives otherwise",
        "added_tokens   | [{\"id\":1000,\"content\":\"a\"}]    | which model.vocab gives otherwise",
        "added_tokens   | [{\"id\":1000,\"content\":\"<x>\"}]  | single_word = null is not supported: true or",
      })
  void refusesWhatItDoesNotKnow(String member, String value, String message) throws IOException {
    Map<String, Object> json = small();
    json.put(member, Json.parse(value, "value"));
    assertRefused(Json.write(json), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "type                      | \"Unigram\"     | model.type = Unigram is not supported: only BPE is",
        "dropout                   | 0.1             | model.dropout = 0.1 is not supported: ids would be",
        "end_of_word_suffix        | \"</w>\"        | model.end_of_word_suffix = </w> is not supported",
        "continuing_subword_prefix | \"##\"          | model.continuing_subword_prefix = ## is not",
        "ignore_merges             | \"yes\"         | model.ignore_merges = yes is not supported: true or",
        "merges                    | [[\"a\",\"Z\"]] | model.merges[0] joins 'a' and 'Z', but",
        "vocab                     | {\"a\":1}       | model.merges[0] joins '",
      })
  @SuppressWarnings("unchecked")
  void refusesOtherModels(String member, String value, String message) throws IOException {
    Map<String, Object> json = small();
    ((Map<String, Object>) json.get("model")).put(member, Json.parse(value, "value"));
    assertRefused(Json.write(json), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"type\":\"Digits\"}                                   | steps before ByteLevel are Split",
        "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a)+\"},\"behavior\":\"Isolated\",\"invert\":false} | pattern.Regex = (a)+ is not supported: a repeated group",
        "{\"type\":\"Split\",\"pattern\":{},\"behavior\":\"Isolated\",\"invert\":false}    | pattern.String = null is not supported",
        "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Contiguous\",\"invert\":false} | behavior = Contiguous is not supported: Isolated and Removed are",
      })
  void refusesOtherSplits(String split, String message) throws IOException {
    Map<String, Object> json = small();
    String byteLevel = "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}";
    String steps = "{\"type\":\"Sequence\",\"pretokenizers\":[%s,%s]}".formatted(split, byteLevel);
    json.put("pre_tokenizer", Json.parse(steps, "value"));
    assertRefused(Json.write(json), message);
    assertRefused(Json.write(json), "pre_tokenizer.pretokenizers[0]");
  }

  @SuppressWarnings("unchecked")
  @Test
  void refusesAnUnknownTokenWhereBytesHaveNoEntry() throws IOException {
    Map<String, Object> json = small();
    Map<String, Object> model = (Map<String, Object>) json.get("model");
    model.put("merges", Json.parse("[]", "value"));
    model.put("vocab", Json.parse("{\"a\":1,\"<unk>\":0}", "value"));
    assertThat(load(Json.write(json)).encode("abä")).containsExactly(1);
    model.put("byte_fallback", true);
    assertRefused(Json.write(json), "byte_fallback = true is not supported: the vocabulary has to");
    model.put("unk_token", "<unk>");
    assertRefused(Json.write(json), "unk_token = <unk> is not supported: the vocabulary has to");
  }

  private Tokenizer load(String json) throws IOException {
    return Tokenizer.load(Files.writeString(folder.resolve("tokenizer.json"), json).getParent());
  }

  private void assertRefused(String json, String message) throws IOException {
    assertThatThrownBy(() -> load(json))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining(folder.resolve("tokenizer.json").toString())
        .hasMessageContaining(message.strip());
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> small() {
    return (Map<String, Object>) Json.read(SMALL_FILE, "tokenizer");
  }
}
