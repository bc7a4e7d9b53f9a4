package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.CliRun.runWith;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of thoughts, blocks and calls of tools in a reply whose words are given. */
class ChatReplyTest {
  private static final String THOUGHT = "Hm.\n</think>\n\nYes.|";
  private static final String CALL =
      "Let me see.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": 3}}\n</tool_call>|";

  @TempDir private static Path temp;

  private static String talking;
  private static String thinking;
  private static Path tools;

  @BeforeAll
  static void make() throws IOException {
    talking = TextFolder.make(temp.resolve("talking")).toString();
    thinking = TextFolder.makeThinking(temp.resolve("thinking")).toString();
    tools = Files.writeString(temp.resolve("tools.json"), "[{\"name\": \"add\"}]");
  }

  @AfterEach
  void forget() {
    System.clearProperty(ScriptedProvider.TEXT);
  }

  private static Outcome chat(String model, String says, String... more) {
    System.setProperty(ScriptedProvider.TEXT, says);
    List<String> args = new ArrayList<>(List.of("chat", "-m", model, "--backend", "scripted"));
    args.addAll(List.of("--no-stats", "--no-log"));
    args.addAll(List.of(more));
    return run(args.toArray(String[]::new));
  }

  private static Map<?, ?> json(String model, String says, String... more) {
    List<String> args = new ArrayList<>(List.of("--json"));
    args.addAll(List.of(more));
    String line = chat(model, says, args.toArray(String[]::new)).quiet().out();
    return (Map<?, ?>) java.util.Objects.requireNonNull(Json.parse(line, "output"));
  }

  // ------------------------------------------------------------------------------------- thoughts

  @Test
  void thoughtsStayOutOfPipesUnlessAskedFor() {
    chat(thinking, THOUGHT, "Hello").quiet().printing("Yes.\n");
    chat(thinking, THOUGHT, "--think", "fold", "Hello").quiet().printing("Yes.\n");
    chat(thinking, THOUGHT, "--think", "show", "Hello")
        .quiet()
        .printing("<think>\nHm.\n</think>\n\nYes.\n");
  }

  @Test
  void thoughtsAreApartInJson() {
    Map<?, ?> object = json(thinking, THOUGHT, "Hello");
    assertThat(object.get("text")).isEqualTo("Yes.");
    assertThat(object.get("thought")).isEqualTo("Hm.");
    assertThat(json(talking, "Yes.|", "Hello").containsKey("thought")).isFalse();
  }

  @Test
  void aThoughtThatIsTooLongIsClosed() {
    Map<?, ?> object = json(thinking, "abcdefYes.|", "--think-budget", "3", "Hello");
    assertThat(object.get("thought")).isEqualTo("abc");
    assertThat(object.get("text")).isEqualTo("defYes.");
    assertThat(object.get("end")).isEqualTo("stop_id");
    // abc, the end of the thought (a line end, the tag, two line ends), defYes.
    assertThat(object.get("generated_tokens")).isEqualTo(3L + 4 + 7);
  }

  @Test
  void aThoughtWithinItsBudgetIsLeftAlone() {
    assertThat(json(thinking, THOUGHT, "--think-budget", "5", "Hello").get("text"))
        .isEqualTo("Yes.");
    assertThat(
            json(thinking, "Hm</think>Yes, and so on.|", "--think-budget", "3", "Hello")
                .get("text"))
        .isEqualTo("Yes, and so on.");
    assertThat(json(talking, "Yes, and so on.|", "--think-budget", "3", "Hello").get("text"))
        .isEqualTo("Yes, and so on.");
  }

  @Test
  void noThoughtAtAll() {
    Map<?, ?> object = json(thinking, "Yes.|", "--think-budget", "0", "Hello");
    assertThat(object.get("text")).isEqualTo("Yes.");
    assertThat(object.containsKey("thought")).isFalse();
  }

  @Test
  void aBudgetBelowZeroIsWrongUsage() {
    chat(thinking, "", "--think-budget", "-1", "Hello")
        .failed(2, "--think-budget is -1 but must be at least 0");
  }

  @Test
  void theTokensOfThoughtAndAnswerAreLimitedTogether() {
    Map<?, ?> object =
        json(thinking, "abcdefgh", "--think-budget", "2", "--max-tokens", "4", "Hello");
    assertThat(object.get("thought")).isEqualTo("ab");
    assertThat(object.get("text")).isEqualTo("cd");
    assertThat(object.get("end")).isEqualTo("max_tokens");
  }

  // --------------------------------------------------------------------------------------- blocks

  @Test
  void theLastBlock() {
    String says = "One:\n```\nfirst\n```\nTwo:\n```svg\n<svg/>\n```\nDone.|";
    chat(talking, says, "-x", "Hello").quiet().printing("<svg/>\n");
    chat(talking, "```\ncut off|", "-x", "Hello").quiet().printing("cut off\n");
    chat(talking, "````md\n```\na\n```\n````|", "-x", "Hello").quiet().printing("```\na\n```\n");
    Outcome none = chat(talking, "Nothing.|", "-x", "Hello").done().printing("Nothing.\n");
    assertThat(none.err())
        .isEqualTo("qnext: the answer has no fenced block, so here is all of it\n");
  }

  // --------------------------------------------------------------------------------------- events

  @Test
  void aLineForEveryEvent() {
    Outcome outcome = chat(thinking, THOUGHT, "--jsonl", "Hello").quiet();
    List<String> events = new ArrayList<>();
    for (String line : outcome.out().lines().toList()) {
      Map<?, ?> event = (Map<?, ?>) java.util.Objects.requireNonNull(Json.parse(line, "event"));
      events.add(event.get("event") + (event.containsKey("text") ? ":" + event.get("text") : ""));
    }
    assertThat(events)
        .containsExactly(
            "thought:H", "thought:m", "thought:.", "text:Y", "text:e", "text:s", "text:.", "end");
  }

  @Test
  void oneFormAtMost() {
    Outcome outcome = chat(talking, "", "--json", "-x", "Hello");
    assertThat(outcome.exit()).isEqualTo(2);
    assertThat(outcome.err()).contains("--extract").contains("--json");
  }

  // ---------------------------------------------------------------------------------------- tools

  @Test
  void callsAreLinesOfJson() {
    chat(talking, CALL, "--tools", tools.toString(), "Hello")
        .quiet()
        .printing("Let me see.\n{\"name\":\"add\",\"arguments\":{\"a\":2,\"b\":3}}\n");
    Map<?, ?> object = json(talking, CALL, "--tools", tools.toString(), "Hello");
    assertThat(object.get("text")).isEqualTo("Let me see.");
    assertThat(Json.write(object.get("tool_calls")))
        .isEqualTo("[{\"name\":\"add\",\"arguments\":{\"a\":2,\"b\":3}}]");
  }

  @Test
  void withoutToolsACallIsText() {
    assertThat(chat(talking, CALL, "Hello").quiet().out()).contains("<tool_call>\n{\"name\"");
  }

  @Test
  void whatIsNoCallIsText() {
    chat(talking, "<tool_call>{</tool_call>|", "--tools", tools.toString(), "Hello")
        .quiet()
        .printing("<tool_call>\n{\n</tool_call>\n");
  }

  @Test
  void aProgramRunsTheCallsAndTheModelGoesOn() throws IOException {
    Path seen = temp.resolve("seen.json");
    Outcome outcome =
        chat(
            thinking,
            "</think>" + CALL + "Hm.</think>It is 5.|",
            "--tools",
            tools.toString(),
            "--tool-command",
            "cat > '" + seen + "'; echo 5",
            "--jsonl",
            "2 + 3?");
    assertThat(Files.readString(seen))
        .isEqualTo("{\"name\":\"add\",\"arguments\":{\"a\":2,\"b\":3}}\n");
    assertThat(outcome.quiet().out())
        .contains("{\"event\":\"tool_result\",\"name\":\"add\",\"text\":\"5\"}\n");
    chat(
            talking,
            CALL + "It is 5.|",
            "--tools",
            tools.toString(),
            "--tool-command",
            "exit 3",
            "2 + 3?")
        .quiet()
        .printing("Let me see.\n{\"name\":\"add\",\"arguments\":{\"a\":2,\"b\":3}}\nIt is 5.\n");
  }

  @Test
  void aModelThatNeverStopsCalling() {
    Outcome outcome =
        chat(
            talking,
            CALL.repeat(60),
            "--tools",
            tools.toString(),
            "--tool-command",
            "echo 5",
            "2 + 3?");
    assertThat(outcome.exit()).isEqualTo(1);
    assertThat(outcome.err())
        .isEqualTo("qnext: the model called tools 50 times in a row without an answer\n");
  }

  @Test
  void toolsThatAreNone() throws IOException {
    Path file = Files.writeString(temp.resolve("none.json"), "3");
    chat(talking, "", "--tools", file.toString(), "x")
        .failed(1, file + ": a list of functions is expected");
    Files.writeString(file, "[{\"parameters\": {}}]");
    chat(talking, "", "--tools", file.toString(), "x")
        .failed(1, file + ": a function has no name: {\"parameters\":{}}");
    chat(talking, "", "--tool-command", "true", "x").failed(2, "--tool-command needs --tools FILE");
  }

  // ---------------------------------------------------------------------- files and saved prompts

  private static String prompt(String input, String... more) {
    System.setProperty(ScriptedProvider.TEXT, "|");
    List<String> args = new ArrayList<>(List.of("chat", "-m", talking, "--backend", "scripted"));
    args.addAll(List.of("--no-stats", "--json", "-c"));
    args.addAll(List.of(more));
    return runWith(input, args.toArray(String[]::new)).quiet().out();
  }

  @Test
  void aConversationGoesOn() {
    System.setProperty(ScriptedProvider.TEXT, "Anna.|");
    run("chat", "-m", talking, "--backend", "scripted", "--no-stats", "Who?")
        .quiet()
        .printing("Anna.\n");
    Map<?, ?> alone = json(talking, "|", "And where?");
    Map<?, ?> more =
        (Map<?, ?>)
            java.util.Objects.requireNonNull(Json.parse(prompt("", "And where?"), "output"));
    assertThat((Long) more.get("prompt_tokens"))
        .isGreaterThan((Long) alone.get("prompt_tokens") + "Who?Anna.".length());
  }

  @Test
  void aConversationThatCannotBeKeptIsToldAndTheAnswerCounts()
      throws IOException, InterruptedException {
    Path file = Files.writeString(temp.resolve("no-folder"), "");
    List<String> options = List.of("-D" + ScriptedProvider.TEXT + "=Anna.|");
    Map<String, String> environment = Map.of("XDG_CONFIG_HOME", file.toString());
    String[] words = {"chat", "-m", talking, "--backend", "scripted", "--no-stats", "Who?"};
    Outcome outcome = CliProcess.run(environment, options, words).done().printing("Anna.\n");
    assertThat(outcome.err())
        .startsWith("qnext: the conversation is not kept: cannot write " + file)
        .hasLineCount(1);
  }
}
