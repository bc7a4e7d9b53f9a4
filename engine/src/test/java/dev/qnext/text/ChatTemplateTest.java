package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.QnextException;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplateTest {
  private static final String SHOW =
      "{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}"
          + "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}";

  @Test
  void qwensTemplatesGiveWhatPythonGives() throws IOException {
    assumeTrue(Files.isDirectory(Golden.shared("templates")), "no third-party templates here");
    Map<String, ChatTemplate> templates = new HashMap<>();
    List<String> differences = new ArrayList<>();
    List<String> lines = Golden.lines(Golden.path("templates/cases.jsonl"));
    assertThat(lines).hasSize(738);
    for (String line : lines) {
      Map<String, Object> golden = object(Json.parse(line, "case"));
      String name = (String) golden.get("template");
      if (!templates.containsKey(name)) {
        String source = Files.readString(Golden.shared("templates").resolve(name));
        templates.put(name, ChatTemplate.parse(source, name));
      }
      String wanted = TemplateOutcome.wanted(golden);
      String got = TemplateOutcome.of(templates.get(name), object(golden.get("vars")));
      if (!got.equals(wanted)) {
        differences.add(
            "%s %s%n  wanted %s%n  got    %s".formatted(name, golden.get("name"), wanted, got));
      }
    }
    assertThat(differences).isEmpty();
    assertThat(templates).hasSize(9);
  }

  /** README of the golden data: dropping null keys makes 6 failing cases of Qwen3-VL render. */
  @Test
  void applyRendersTheCasesThatFailOnNull() throws IOException {
    assumeTrue(Files.isDirectory(Golden.shared("templates")), "no third-party templates here");
    int failing = 0;
    for (String line : Golden.lines(Golden.path("templates/cases.jsonl"))) {
      Map<String, Object> golden = object(Json.parse(line, "case"));
      String name = (String) golden.get("template");
      if (name.startsWith("Qwen3-VL") && line.contains("'NoneType' object is not iterable")) {
        Map<String, Object> variables = object(golden.get("vars"));
        String source = Files.readString(Golden.shared("templates").resolve(name));
        String text =
            ChatTemplate.parse(source, name)
                .apply(messages(variables.get("messages")), null, false, Map.of());
        assertThat(text).startsWith("<|im_start|>").doesNotContain("None");
        failing++;
      }
    }
    assertThat(failing).isEqualTo(6);
  }

  @Test
  void applyGivesTheVariablesThatTransformersGives() {
    assertThat(apply("{\"role\":\"user\",\"content\":\"hi\"}")).isEqualTo("user=hi;TrueTrueTrue");
  }

  @Test
  void applyJoinsTextParts() {
    assertThat(
            apply(
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},\"b\",{\"text\":\"c\"}]}"))
        .startsWith("user=abc;");
    assertThat(apply("{\"role\":\"user\",\"content\":[]}")).startsWith("user=;");
  }

  @Test
  void applyLeavesPartsOfOtherKindsToTheTemplate() {
    assertThat(apply("{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"text\":\"a\"}]}"))
        .startsWith("user=[{'type': 'image', 'text': 'a'}];");
  }

  @Test
  void applyDropsNullKeysAndAliasesReasoning() {
    String source =
        "{% for m in messages %}{{ m.keys()|list }}{{ m.reasoning_content }};{% endfor %}";
    String messages =
        "[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":null},"
            + "{\"role\":\"assistant\",\"reasoning\":\"r\"},{\"role\":\"assistant\",\"thinking\":\"t\",\"reasoning\":\"r\"},"
            + "{\"role\":\"assistant\",\"reasoning_content\":\"c\",\"thinking\":\"t\"}]";
    assertThat(
            ChatTemplate.parse(source, "t")
                .apply(messages(Json.parse(messages, "m")), null, true, Map.of()))
        .isEqualTo(
            "['role'];['thinking', 'role', 'reasoning', 'reasoning_content']r;"
                + "['thinking', 'role', 'reasoning', 'reasoning_content']t;"
                + "['thinking', 'role', 'reasoning_content']c;");
  }

  @Test
  void applyLeavesTheCallersMessagesAlone() {
    Map<String, Object> message = new LinkedHashMap<>();
    message.put("role", "assistant");
    message.put("content", null);
    message.put("reasoning", "r");
    ChatTemplate.parse(SHOW, "t").apply(List.of(message), null, true, Map.of());
    assertThat(message).containsOnlyKeys("role", "content", "reasoning");
  }

  @Test
  void applyRefusesAnEmptyChat() {
    assertThatThrownBy(() -> ChatTemplate.parse(SHOW, "t").apply(List.of(), null, true, Map.of()))
        .isInstanceOf(QnextException.class)
        .hasMessage("the chat has no messages; give at least one");
  }

  @Test
  void strftimeNowReadsTheGivenClock() {
    Clock clock = Clock.fixed(Instant.parse("2025-03-04T15:06:07.089Z"), ZoneOffset.UTC);
    String source =
        "{{ strftime_now('%Y-%m-%d %-d %B %b %A %a %H:%M:%S.%f %I %p %y %j %e|%U %W %V %G %u %w %% %F %T %c %x %q') }}";
    assertThat(ChatTemplate.parse(source, "t").withClock(clock).render(Map.of()))
        .isEqualTo(
            "2025-03-04 4 March Mar Tuesday Tue 15:06:07.089000 03 PM 25 063  4|09 09 10 2025 2 2 %"
                + " 2025-03-04 15:06:07 Tue Mar  4 15:06:07 2025 03/04/25 %q");
    assertThat(ChatTemplate.parse("{{ strftime_now('%Y') }}", "t").render(Map.of()))
        .matches("\\d{4}");
  }

  @Test
  void loadPrefersTheJinjaFile(@TempDir Path folder) throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"chat_template\":\"config {{ bos_token }}\",\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\",\"pad_token\":null}");
    assertThat(loaded(folder, null)).isEqualTo("config <s>");
    Files.writeString(
        folder.resolve("chat_template.json"), "{\"chat_template\":\"json {{ eos_token }}\"}");
    assertThat(loaded(folder, null)).isEqualTo("json </s>");
    Files.writeString(
        folder.resolve("chat_template.jinja"),
        "jinja {{ bos_token }}{{ eos_token }}{{ pad_token is defined }}");
    assertThat(loaded(folder, null)).isEqualTo("jinja <s></s>False");
  }

  @Test
  void loadPicksTheTemplateForTools(@TempDir Path folder) throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"chat_template\":[{\"name\":\"default\",\"template\":\"d\"},{\"name\":\"tool_use\",\"template\":\"t{{ tools|length }}\"}]}");
    assertThat(loaded(folder, null)).isEqualTo("d");
    assertThat(loaded(folder, List.of(Map.of("name", "f")))).isEqualTo("t1");
  }

  @Test
  void loadSaysThatThereIsNoTemplate(@TempDir Path folder) throws IOException {
    assertThatThrownBy(() -> ChatTemplate.load(folder))
        .isInstanceOf(QnextException.class)
        .hasMessageStartingWith("the model has no chat template: ")
        .hasMessageContaining(folder.toString());
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"chat_template\":[]}");
    assertThatThrownBy(() -> ChatTemplate.load(folder)).isInstanceOf(QnextException.class);
    Files.writeString(folder.resolve("chat_template.jinja"), "{% if %}");
    assertThatThrownBy(() -> ChatTemplate.load(folder))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining(folder.resolve("chat_template.jinja") + ", line 1");
  }

  private static String loaded(Path folder, List<?> tools) {
    List<Map<String, Object>> chat = List.of(Map.of("role", "user", "content", "hi"));
    return ChatTemplate.load(folder).apply(chat, tools, true, Map.of());
  }

  private static String apply(String message) {
    return ChatTemplate.parse(SHOW, "t")
        .apply(messages(Json.parse("[" + message + "]", "messages")), null, true, Map.of());
  }

  @SuppressWarnings("unchecked")
  private static List<Map<String, Object>> messages(Object value) {
    return (List<Map<String, Object>>) value;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }
}
