package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.json.Json;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ToolCallTest {
  private static final List<?> TOOLS =
      List.of(
          java.util.Objects.requireNonNull(
              Json.parse(
                  """
                  {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {
                    "city": {"type": "string"}, "days": {"type": "integer"}, "where": {"type": "object"}}}}}
                  """,
                  "tools")));

  private static @Nullable String parsed(String text) {
    ToolCall call = ToolCall.parse(text, TOOLS);
    return call == null ? null : Json.write(call.toMap());
  }

  @Test
  void objects() {
    assertThat(
            parsed("\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\", \"days\": 2}}\n"))
        .isEqualTo("{\"name\":\"weather\",\"arguments\":{\"city\":\"Ulm\",\"days\":2}}");
    assertThat(parsed("{\"name\": \"now\"}")).isEqualTo("{\"name\":\"now\",\"arguments\":{}}");
    assertThat(parsed("{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}"))
        .isEqualTo("{\"name\":\"f\",\"arguments\":{\"a\":1}}");
  }

  /** The form of Qwen3-Coder-Next: values have the types of the schema. */
  @Test
  void tags() {
    String call =
        """
        <function=weather>
        <parameter=city>
        12
        </parameter>
        <parameter=days>
        12
        </parameter>
        <parameter=where>
        {"lat": 1.5}
        </parameter>
        <parameter=unknown>
        two
        lines
        </parameter>
        </function>\
        """;
    assertThat(parsed(call))
        .isEqualTo(
            "{\"name\":\"weather\",\"arguments\":{\"city\":\"12\",\"days\":12,\"where\":{\"lat\":1.5},"
                + "\"unknown\":\"two\\nlines\"}}");
    assertThat(parsed("<function=now>\n</function>"))
        .isEqualTo("{\"name\":\"now\",\"arguments\":{}}");
    assertThat(parsed("<function=weather><parameter=days>soon</parameter></function>"))
        .isEqualTo("{\"name\":\"weather\",\"arguments\":{\"days\":\"soon\"}}");
  }

  @Test
  void noCalls() {
    for (String text :
        List.of(
            "",
            "{",
            "[]",
            "{\"arguments\": {}}",
            "{\"name\": 1}",
            "{\"name\": \"f\", \"arguments\": 3}",
            "{\"name\": \"f\", \"arguments\": \"{\"}",
            "<function=",
            "<function=>x",
            "<function=f><parameter=a",
            "<function=f><parameter=a>1")) {
      assertThat(parsed(text)).describedAs(text).isNull();
    }
  }
}
