package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Other settings than Qwen3's, each with texts and ids by the tokenizers library; made by
 * TokenizerVariants.py.
 */
class TokenizerVariantsTest {
  static Stream<String> variants() throws IOException {
    try (InputStream in =
        TokenizerVariantsTest.class.getResourceAsStream("TokenizerVariants.jsonl")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines();
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void equalsTheReference(String line, @TempDir Path folder) throws IOException {
    Map<?, ?> variant = (Map<?, ?>) Json.parse(line, "variant");
    Path file = Files.writeString(folder.resolve("tokenizer.json"), Json.write(tokenizer(variant)));
    Tokenizer tokenizer = Tokenizer.load(folder);
    assertThat(file).exists();
    List<?> cases = (List<?>) variant.get("cases");
    assertThat(cases).hasSizeGreaterThan(50);
    for (Object item : cases) {
      Map<?, ?> expected = (Map<?, ?>) item;
      String text = (String) expected.get("text");
      String name = variant.get("name") + ": " + text;
      int[] ids =
          ((List<?>) expected.get("ids")).stream().mapToInt(id -> ((Long) id).intValue()).toArray();
      assertThat(tokenizer.encode(text)).as(name).isEqualTo(ids);
      assertThat(tokenizer.decode(ids)).as(name).isEqualTo(expected.get("decoded"));
      assertThat(tokenizer.decode(ids, true))
          .as(name)
          .isEqualTo(expected.get("decoded_skip_special"));
    }
  }

  private static Map<?, ?> tokenizer(Map<?, ?> variant) {
    Map<?, ?> base =
        (Map<?, ?>) Json.read(Golden.path("tokenizer/small_tokenizer.json"), "tokenizer");
    Map<Object, Object> tokenizer = new LinkedHashMap<>(base);
    tokenizer.putAll((Map<?, ?>) variant.get("members"));
    Map<Object, Object> model = new LinkedHashMap<>((Map<?, ?>) base.get("model"));
    model.putAll((Map<?, ?>) tokenizer.get("model"));
    tokenizer.put("model", model);
    return tokenizer;
  }
}
