package dev.qnext.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class ConfigTest {
  private static final Path FILE = Path.of("config.json");

  private static Config of(String json) {
    return Config.of(FILE, Json.parse(json, "test"));
  }

  private static void assertWrong(ThrowingCallable call, String message) {
    assertThatThrownBy(call).isInstanceOf(QnextException.class).hasMessage("config.json" + message);
  }

  @Test
  void valuesByKey() {
    Config config =
        of(
            "{\"a\":3,\"n\":null,\"x\":0.5,\"f\":true,\"t\":\"s\",\"l\":[\"p\",\"q\"],"
                + "\"i\":[1,0],\"o\":{\"a\":1}}");
    assertThat(config.size("a")).isEqualTo(3);
    assertThat(config.size("a", 9)).isEqualTo(3);
    assertThat(config.size("n", 9)).isEqualTo(9);
    assertThat(config.size("none", 9)).isEqualTo(9);
    assertThat(config.number("x", 1)).isEqualTo(0.5);
    assertThat(config.number("a", 1)).isEqualTo(3);
    assertThat(config.number("n", 1)).isEqualTo(1);
    assertThat(config.flag("f", false)).isTrue();
    assertThat(config.flag("n", true)).isTrue();
    assertThat(config.text("t", "")).isEqualTo("s");
    assertThat(config.text("none", "d")).isEqualTo("d");
    assertThat(config.texts("l")).isEqualTo(List.of("p", "q"));
    assertThat(config.texts("none")).isEmpty();
    assertThat(config.ids("i")).containsExactly(1, 0);
    assertThat(config.ids("a")).containsExactly(3);
    assertThat(config.ids("n")).isEmpty();
    assertThat(config.object("o").size("a")).isEqualTo(1);
    assertThat(config.object("none").has("a")).isFalse();
    assertThat(config.has("n")).isFalse();
    assertThat(config.get("t")).isEqualTo("s");
    assertThat(Config.empty(FILE).has("a")).isFalse();
  }

  @Test
  void everyFailureHasItsSentence() {
    assertWrong(() -> of("[]"), " must hold a JSON object");
    assertWrong(() -> of("{}").size("a"), " lacks \"a\"");
    assertWrong(() -> of("{\"o\":{}}").object("o").size("a"), " lacks \"o.a\"");
    for (String value : List.of("0", "-1", "2147483648", "1.0", "\"1\"", "true", "[1]")) {
      assertWrong(
          () -> of("{\"a\":%s}".formatted(value)).size("a"),
          ": \"a\" is %s but must be a whole number from 1 to 2147483647".formatted(value));
    }
    assertWrong(
        () -> of("{\"a\":100000000000000000000}").size("a"),
        ": \"a\" is 100000000000000000000 but must be a whole number from 1 to 2147483647");
    assertWrong(
        () -> of("{\"o\":{\"a\":\"x\"}}").object("o").number("a", 0),
        ": \"o.a\" is \"x\" but must be a number");
    assertWrong(() -> of("{\"a\":1e999}").number("a", 0), ": \"a\" is null but must be a number");
    assertWrong(() -> of("{\"a\":1}").flag("a", true), ": \"a\" is 1 but must be true or false");
    assertWrong(() -> of("{\"a\":1}").text("a", ""), ": \"a\" is 1 but must be a string");
    assertWrong(() -> of("{\"a\":\"b\"}").texts("a"), ": \"a\" is \"b\" but must be a list");
    assertWrong(
        () -> of("{\"a\":[\"b\",1]}").texts("a"),
        ": \"a\" is [\"b\",1] but must be a list of strings");
    assertWrong(() -> of("{\"a\":{}}").ids("a"), ": \"a\" is {} but must be a list");
    for (String value : List.of("[1,\"2\"]", "[-1]", "[2147483648]", "[1.5]", "[null]")) {
      assertWrong(
          () -> of("{\"a\":%s}".formatted(value)).ids("a"),
          ": \"a\" is %s but must be a list of whole numbers".formatted(value));
    }
    assertWrong(() -> of("{\"a\":[]}").object("a"), ": \"a\" is [] but must be an object");
    assertWrong(
        () -> of("{\"a\":\"%s\"}".formatted("x".repeat(100))).object("a"),
        ": \"a\" is \"%s... but must be an object".formatted("x".repeat(59)));
  }

  @Test
  void filesThatAreNoConfiguration() {
    assertThatThrownBy(() -> Config.read(Path.of("none.json")))
        .isInstanceOf(QnextException.class)
        .hasMessage("configuration not found: none.json");
  }
}
