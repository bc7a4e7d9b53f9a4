package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.QnextException;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the cache gives is what the file gives, whatever happened to either. */
class TokenizerCacheTest {
  private static final String TEXT = "The café's 12 tokens<|im_end|> 中文 e\u0301 🙂\n\n  x";

  @TempDir private Path folder;

  @Test
  void givesAllGoldenCasesFromTheCache() throws IOException {
    Path file = TokenizerRealVocabulary.file();
    Tokenizer fromFile = Tokenizer.load(file, folder);
    Path cached = cached();
    FileTime written = Files.getLastModifiedTime(cached);
    Tokenizer fromCache = Tokenizer.load(file, folder);
    assertThat(Files.getLastModifiedTime(cached)).isEqualTo(written);
    assertThat(fromCache.size()).isEqualTo(fromFile.size());
    for (int id = -1; id <= fromFile.size(); id++) {
      assertThat(fromCache.bytes(id)).isEqualTo(fromFile.bytes(id));
      assertThat(fromCache.isSpecial(id)).isEqualTo(fromFile.isSpecial(id));
    }
    for (String line : Golden.lines(Golden.path("tokenizer/cases.jsonl"))) {
      Map<?, ?> item = (Map<?, ?>) Json.parse(line, "cases");
      String text = (String) item.get("text");
      int[] ids =
          ((List<?>) item.get("ids")).stream().mapToInt(id -> ((Long) id).intValue()).toArray();
      assertThat(fromCache.encode(text)).isEqualTo(ids);
    }
    assertThat(fromCache.id("Ġthe")).isEqualTo(fromFile.id("Ġthe")).isPresent();
    assertThat(fromCache.id("<|im_end|>")).hasValue(151645);
  }

  /** All that can stand in a file: foreign entries, two splits, all flags of added tokens. */
  @Test
  void keepsEverySetting() throws IOException {
    Map<String, Object> json = large("abc");
    Map<String, Object> model = model(json);
    model.put("ignore_merges", true);
    vocabulary(model).put("中", 5000L);
    json.put(
        "pre_tokenizer",
        Json.parse(
            """
            {"type":"Sequence","pretokenizers":[
              {"type":"Split","pattern":{"String":"a"},"behavior":"Removed","invert":false},
              {"type":"Split","pattern":{"Regex":"e+"},"behavior":"Isolated","invert":false},
              {"type":"ByteLevel","add_prefix_space":true,"use_regex":true}]}
            """,
            "steps"));
    json.put(
        "added_tokens",
        Json.parse(
            """
            [{"id":6000,"content":"<é>","single_word":true,"lstrip":true,"rstrip":true,
              "normalized":true,"special":false},
             {"id":6001,"content":"<x>","single_word":false,"lstrip":false,"rstrip":true,
              "normalized":false,"special":true}]
            """,
            "tokens"));
    Path file = write(json);
    Tokenizer fromFile = Tokenizer.load(file, folder);
    Files.setLastModifiedTime(cached(), FileTime.fromMillis(0));
    Tokenizer fromCache = Tokenizer.load(file, folder);
    assertThat(Files.getLastModifiedTime(cached())).isEqualTo(FileTime.fromMillis(0));
    assertThat(fromCache.size()).isEqualTo(6002);
    assertThat(fromCache.id("中")).hasValue(5000);
    for (String text :
        List.of(TEXT, "a <e\u0301> b<x>  eec", "x<é>y <x> ", "banana bandana tree")) {
      assertThat(fromCache.encode(text)).isEqualTo(fromFile.encode(text));
      assertThat(fromCache.encodeOrdinary(text)).isEqualTo(fromFile.encodeOrdinary(text));
      int[] ids = fromFile.encode(text);
      assertThat(fromCache.decode(ids, true)).isEqualTo(fromFile.decode(ids, true));
    }
    // In the byte-level alphabet é is the byte E9, which is no character.
    assertThat(fromCache.decode(new int[] {5000, 6000, 6001})).isEqualTo("中<\uFFFD><x>");
  }

  @Test
  void readsTheFileAgainWhenItHasChanged() throws IOException {
    Path file = write(large("abc"));
    int before = Tokenizer.load(file, folder).id("abc").orElseThrow();
    FileTime time = Files.getLastModifiedTime(file);
    // The same size, and the time set back, as an archive would.
    write(large("abd"));
    Files.setLastModifiedTime(file, time);
    Tokenizer changed = Tokenizer.load(file, folder);
    assertThat(changed.id("abc")).isEmpty();
    assertThat(changed.id("abd")).hasValue(before);
    assertThat(Tokenizer.load(file, folder).id("abd")).hasValue(before);
  }

  @Test
  void makesAnewWhatIsDamagedOrForeign() throws IOException {
    Path file = write(large("abc"));
    Tokenizer whole = Tokenizer.load(file, folder);
    byte[] good = Files.readAllBytes(cached());
    Random random = new Random(8);
    for (int i = 0; i < 300; i++) {
      byte[] bad = good.clone();
      switch (i % 4) {
        case 0 -> bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bad = Arrays.copyOf(bad, random.nextInt(bad.length));
        case 2 -> bad = Arrays.copyOf(bad, bad.length + 1 + random.nextInt(99));
        default -> Arrays.fill(bad, 0, i == 3 ? bad.length : random.nextInt(bad.length), (byte) 0);
      }
      Files.write(cached(), bad);
      Tokenizer again = Tokenizer.load(file, folder);
      assertThat(again.encode(TEXT)).isEqualTo(whole.encode(TEXT));
      assertThat(Files.readAllBytes(cached())).isEqualTo(good);
    }
    Files.writeString(cached(), "not ours", StandardCharsets.UTF_8);
    assertThat(Tokenizer.load(file, folder).encode(TEXT)).isEqualTo(whole.encode(TEXT));
    assertThat(Files.readAllBytes(cached())).isEqualTo(good);
  }

  @Test
  void removesTheTablesOfFilesThatAreGone() throws IOException {
    Path file = write(large("abc"));
    Tokenizer.load(file, folder);
    Path moved = Files.createDirectory(folder.resolve("other")).resolve("tokenizer.json");
    Files.move(file, moved);
    Tokenizer.load(moved, folder);
    // One of two, and the one that is used.
    Files.setLastModifiedTime(cached(), FileTime.fromMillis(0));
    Tokenizer.load(moved, folder);
    assertThat(Files.getLastModifiedTime(cached())).isEqualTo(FileTime.fromMillis(0));
  }

  @Test
  void worksWhereNothingCanBeWritten() throws IOException {
    Path file = write(large("abc"));
    int[] ids = Tokenizer.load(file, null).encode(TEXT);
    Path notAFolder = Files.writeString(folder.resolve("in-the-way"), "");
    assertThat(Tokenizer.load(file, notAFolder).encode(TEXT)).isEqualTo(ids);
    Path readOnly = Files.createDirectories(folder.resolve("read-only"));
    assumeTrue(readOnly.toFile().setWritable(false), "no rights here");
    assertThat(Tokenizer.load(file, readOnly).encode(TEXT)).isEqualTo(ids);
    readOnly.toFile().setWritable(true);
  }

  @Test
  void leavesSmallAndBrokenFilesAlone() throws IOException {
    Tokenizer.load(Golden.path("tokenizer/small_tokenizer.json"), folder);
    Path file = folder.resolve("tokenizer.json");
    Files.writeString(file, " ".repeat(1 << 17) + "{}");
    assertThatThrownBy(() -> Tokenizer.load(file, folder))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining("model.vocab is missing");
    assertThat(folder.resolve("tokenizers")).doesNotExist();
  }

  /** The one file in the cache, which holds nothing else. */
  private Path cached() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("tokenizers"))) {
      List<Path> all = files.toList();
      assertThat(all).hasSize(1);
      return all.getFirst();
    }
  }

  private Path write(Map<String, Object> json) throws IOException {
    return Files.writeString(folder.resolve("tokenizer.json"), Json.write(json));
  }

  /** The small tokenizer and so many entries more that it is worth a place in the cache. */
  @SuppressWarnings("unchecked")
  private static Map<String, Object> large(String entry) {
    var json = (Map<String, Object>) Json.read(Golden.path("tokenizer/small_tokenizer.json"), "");
    Map<String, Object> vocabulary = vocabulary(model(json));
    for (long i = 0; i < 2000; i++) {
      vocabulary.put("entry-of-no-use-" + i, 2000 + i);
    }
    vocabulary.put(entry, 4000L);
    return json;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> model(Map<String, Object> json) {
    return (Map<String, Object>) json.get("model");
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> vocabulary(Map<String, Object> model) {
    return (Map<String, Object>) model.get("vocab");
  }
}
