package dev.qnext.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.Mutator;
import dev.qnext.fixtures.PlainJson;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JsonTest {
  @TempDir Path folder;

  @Test
  void valuesAreJavasOwn() {
    Object value =
        Json.parse(
            "{\"b\":[1,-2,1.5,1e3,true,false,null,\"\\u00e9\\n\"],\"a\":{},"
                + "\"big\":92233720368547758080}",
            "text");
    assertThat(value).isInstanceOf(Map.class);
    Map<?, ?> map = (Map<?, ?>) value;
    assertThat(List.copyOf(map.keySet())).isEqualTo(List.of("b", "a", "big"));
    assertThat(map.get("b"))
        .isEqualTo(Arrays.asList(1L, -2L, 1.5, 1000.0, true, false, null, "é\n"));
    assertThat(map.get("a")).isEqualTo(Map.of());
    assertThat(map.get("big")).isEqualTo(new BigInteger("92233720368547758080"));
    assertThat(Json.parse("{\"a\":1,\"a\":2}", "text")).isEqualTo(Map.of("a", 2L));
    assertThat(Json.parse(" 7 ", "text")).isEqualTo(7L);
  }

  @Test
  void whatIsWrittenIsReadAgain() {
    List<Object> values =
        new ArrayList<>(
            Arrays.asList(
                null,
                true,
                0L,
                Long.MIN_VALUE,
                BigInteger.TEN.pow(30),
                1.0,
                -0.1,
                1e300,
                "",
                "\"\\/\b\f\n\r\t\u0000\u001f\u007f",
                "é日本𝄞",
                List.of(List.of(), Map.of()),
                Map.of("k\n", List.of("v"))));
    values.add(List.copyOf(values.subList(1, values.size())));
    for (Object value : values) {
      assertThat(Json.parse(Json.write(value), "text")).isEqualTo(value);
    }
  }

  @Test
  void writesCompactly() {
    assertThat(Json.write(Map.of("a", List.of(1L, 2.0, "x")))).isEqualTo("{\"a\":[1,2.0,\"x\"]}");
    assertThat(Json.write(new int[] {1, 2})).isEqualTo("[1,2]");
    assertThat(Json.write(List.of(Double.NaN, Float.POSITIVE_INFINITY, 1.5f)))
        .isEqualTo("[null,null,1.5]");
    assertThat(Json.write(new BigDecimal("1E+3"))).isEqualTo("1000");
    assertThat(Json.write("é日\u0001\u007f")).isEqualTo("\"é日\\u0001\u007f\"");
    assertThat(Json.write("\ud834\udd1e")).isEqualTo("\"\ud834\udd1e\"");
    assertThat(Json.write("a\ud834")).describedAs("a lone surrogate").isEqualTo("\"a\\ud834\"");
    assertThat(Json.write("\udd1ea")).isEqualTo("\"\\udd1ea\"");
  }

  @Test
  void readsWhatTheGoldenFilesHold() {
    for (String name :
        List.of("tiny/hf/config.json", "odd/mlx-mxfp4/config.json", "ops/ops.json")) {
      Path file = Golden.path(name);
      Object value = Json.read(file, "golden file");
      assertThat(value).isEqualTo(PlainJson.read(file));
      assertThat(PlainJson.parse(Json.write(value))).isEqualTo(value);
    }
  }

  private static void assertRefused(ThrowingCallable call, String message) {
    assertThatThrownBy(call).isInstanceOf(QnextException.class).hasMessage(message);
  }

  @Test
  void everyFailureHasItsSentence() throws IOException {
    assertRefused(() -> Json.parse("", "the header"), "the header is not valid JSON: it is empty");
    assertRefused(
        () -> Json.parse("{} 1", "the header"),
        "the header is not valid JSON: text follows its end");
    assertThatThrownBy(() -> Json.parse("{\"a\": x}", "the header"))
        .isInstanceOf(QnextException.class)
        .hasMessageStartingWith("the header is not valid JSON: Unrecognized token 'x'")
        .hasMessageEndingWith("(line 1, column 7)");
    assertThatThrownBy(() -> Json.parse("[".repeat(201) + "]".repeat(201), "the header"))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining("depth (201) exceeds the maximum allowed (200");
    Path file = folder.resolve("config.json");
    assertRefused(
        () -> Json.read(file, "configuration"), "configuration not found: %s".formatted(file));
    Files.writeString(file, "");
    assertRefused(
        () -> Json.read(file, "configuration"),
        "configuration is not valid JSON: %s: it is empty".formatted(file));
    Files.writeString(file, "1 2");
    assertRefused(
        () -> Json.read(file, "configuration"),
        "configuration is not valid JSON: %s: text follows its end".formatted(file));
    Files.writeString(file, "{\n\"a\": tru }");
    assertThatThrownBy(() -> Json.read(file, "configuration"))
        .isInstanceOf(QnextException.class)
        .hasMessageStartingWith("configuration is not valid JSON: %s: ".formatted(file))
        .hasMessageContaining("(line 2, column ");
    assertThatThrownBy(() -> Json.read(folder, "configuration"))
        .isInstanceOf(QnextException.class)
        .hasMessageStartingWith("cannot read configuration: %s: ".formatted(folder));
  }

  @Test
  void mutantsGiveValuesOrSentences() throws IOException {
    byte[] original = Files.readAllBytes(Golden.path("yarn/mlx-3bit/config.json"));
    Path file = folder.resolve("mutant.json");
    int refused = 0;
    for (int seed = 0; seed < 2000; seed++) {
      byte[] mutant = new Mutator(seed).bytes(original);
      Files.write(file, mutant);
      boolean fromFile = refuses(() -> Json.read(file, "mutant"), seed);
      refuses(() -> Json.parse(new String(mutant, StandardCharsets.UTF_8), "mutant"), seed);
      refused += fromFile ? 1 : 0;
    }
    assertThat(refused).isBetween(500, 1900);
  }

  private static boolean refuses(Runnable read, int seed) {
    try {
      read.run();
      return false;
    } catch (QnextException e) {
      assertThat(e.getMessage()).describedAs("seed %d", seed).contains("mutant");
      return true;
    }
  }
}
