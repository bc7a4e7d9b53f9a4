package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A conversation in a terminal, key by key. */
@Timeout(180)
class TalkInTerminalTest {
  private static final String WARNING = "(Ctrl-C again leaves; so do Ctrl-D and /exit)\n>\n";

  @TempDir private static Path models;

  private static String talking;
  private static String thinking;
  private static String endless;

  @TempDir private Path home;

  @BeforeAll
  static void make() throws IOException {
    Tmux.assume();
    CliProcess.assumeInterruptible();
    talking = TextFolder.make(models.resolve("talking")).toString();
    thinking = TextFolder.makeThinking(models.resolve("thinking")).toString();
    endless = TextFolder.makeEndless(models.resolve("endless")).toString();
  }

  @BeforeEach
  void makeHome() throws IOException {
    Files.createDirectories(home);
  }

  private Tmux chat(int columns, String model, String says, String... more) {
    return chat(columns, Map.of(), model, says, more);
  }

  private Tmux chat(
      int columns, Map<String, String> environment, String model, String says, String... more) {
    List<String> args = new ArrayList<>(List.of("chat", "-m", model, "--temp", "0", "--no-stats"));
    args.addAll(List.of("--backend", "scripted"));
    args.addAll(List.of(more));
    List<String> options = List.of("-D" + ScriptedProvider.TEXT + "=" + says);
    return Tmux.start(columns, 24, home, environment, options, args.toArray(String[]::new))
        .awaitPrompt();
  }

  /** The model says H without end. */
  private Tmux endless(String... more) {
    List<String> args = new ArrayList<>(List.of("chat", "-m", endless, "--temp", "0"));
    args.addAll(List.of("--no-stats", "--logit-bias", "72=1000"));
    args.addAll(List.of(more));
    return Tmux.start(80, 24, home, Map.of(), List.of(), args.toArray(String[]::new)).awaitPrompt();
  }

  /** All that was said, as it is kept. */
  private String kept() throws IOException {
    StringBuilder kept = new StringBuilder();
    try (Stream<Path> files = Files.list(home.resolve("qnext/conversations"))) {
      for (Path file : files.sorted().toList()) {
        kept.append(Files.readString(file));
      }
    }
    return kept.toString();
  }

  // --------------------------------------------------------------------------- questions, answers

  @Test
  void aQuestionAnAnswerAndCtrlD() {
    try (Tmux chat = chat(80, talking, "A **bold** `word`.|")) {
      chat.keys("Hello", "Enter").awaitEnd("> Hello\nA bold word.\n>\n");
      assertThat(chat.colours()).contains("\u001b[1mbold").contains("\u001b[36mword");
      chat.keys("C-d").awaitExit(0);
    }
  }

  @Test
  void withoutColours() {
    try (Tmux chat = chat(80, Map.of("NO_COLOR", "1"), talking, "A **bold** word.|")) {
      chat.keys("Hello", "Enter").awaitEnd("> Hello\nA **bold** word.\n>\n");
      assertThat(chat.colours()).doesNotContain("\u001b[");
    }
  }

  @Test
  void thoughts() {
    String thought = "Well. Hm.\n</think>\n\nYes.|";
    try (Tmux chat = chat(80, thinking, thought + thought + thought)) {
      chat.keys("One", "Enter").awaitEnd("> One\nWell. Hm.\nYes.\n>\n");
      assertThat(chat.colours()).contains("\u001b[2mWell. Hm.");
      chat.keys("/set think fold", "Enter").awaitEnd("think: fold\n>\n").keys("Two", "Enter");
      chat.await(
          screen -> screen.matches("(?s).*> Two\nthought for \\d\\.\\d s\nYes\\.\n>\n"),
          "folded thought");
      chat.keys("/set think hide", "Enter").awaitEnd("think: hide\n>\n").keys("Three", "Enter");
      chat.awaitEnd("> Three\nYes.\n>\n");
    }
  }

  @Test
  void fortyAndTwentyColumns() {
    try (Tmux chat = chat(40, talking, "This answer is longer than forty columns are.|Short.|")) {
      chat.keys("A question that is itself longer than forty", "Enter");
      chat.awaitEnd(
          "> A question that is itself longer than\nforty\n"
              + "This answer is longer than forty columns\n are.\n>\n");
      chat.resize(20, 24).keys("0123456789abcdefghijklmnop");
      chat.awaitEnd("> 0123456789abcdefgh\nijklmnop\n");
      chat.keys("Enter").awaitEnd("\nijklmnop\nShort.\n>\n");
      chat.keys("/help", "Enter").await("/exit\n    leave");
    }
  }

  // ------------------------------------------------------------------------------------ many lines

  @Test
  void linesThatArePastedAreOneMessage() throws IOException {
    try (Tmux chat = chat(80, talking, "Yes.|")) {
      chat.paste("one\n/exit").awaitEnd("> one\n. /exit\n");
      chat.keys("Enter").awaitEnd("Yes.\n>\n");
      assertThat(kept()).contains("\"one\\n/exit\"");
    }
  }

  @Test
  void blocksAndBackslashes() throws IOException {
    try (Tmux chat = chat(80, talking, "Yes.|No.|")) {
      chat.keys("\"\"\"", "Enter").awaitEnd("> \"\"\"\n.\n");
      chat.keys("one", "Enter", "two", "Enter", "\"\"\"", "Enter").awaitEnd("Yes.\n>\n");
      chat.keys("three \\", "Enter").awaitEnd("> three\n.\n");
      chat.keys("four", "Enter").awaitEnd("No.\n>\n");
      assertThat(kept()).contains("\"one\\ntwo\"").contains("\"three \\nfour\"");
    }
  }

  // ----------------------------------------------------------------------------------------- keys

  @Test
  void tabCompletes() throws IOException {
    Path file = Files.writeString(home.resolve("be brief.txt"), "Be brief.");
    try (Tmux chat = chat(80, talking, "")) {
      chat.keys("/sy", "Tab").awaitEnd("> /system\n");
      String start = file.toString().substring(0, file.toString().length() - 8);
      chat.keys("@" + start, "Tab").awaitEnd("@" + file + "\n");
      chat.keys("Enter").awaitEnd("(the system message is set)\n>\n");
      chat.keys("/set think-b", "Tab").awaitEnd("> /set think-budget\n").keys("C-c").awaitPrompt();
      chat.keys("/set think f", "Tab").awaitEnd("> /set think fold\n").keys("C-c").awaitPrompt();
      chat.keys("/save first", "Enter").await("conversations/first.jsonl").awaitPrompt();
      chat.keys("/load f", "Tab").awaitEnd("> /load first\n");
      chat.keys("C-c").awaitPrompt().keys("/s", "Tab").await("change a setting, or show it");
    }
  }

  @Test
  void historyOfAnotherDay() throws IOException {
    try (Tmux chat = chat(80, talking, "Yes.|")) {
      chat.paste("one\ntwo").keys("Enter").awaitEnd("Yes.\n>\n").keys("/bye", "Enter").awaitExit(0);
    }
    Path history = home.resolve("qnext/history");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(history)))
        .isEqualTo("rw-------");
    try (Tmux chat = chat(80, talking, "")) {
      chat.keys("Up").awaitEnd("> /bye\n").keys("Up").awaitEnd("> one\n. two\n");
    }
  }

  @Test
  void theFirstInterruptStopsTheAnswerAndKeepsIt() throws IOException {
    try (Tmux chat = endless()) {
      chat.keys("Hello", "Enter").await("HHHHH").keys("C-c").awaitEnd("H\n>\n");
      assertThat(kept()).contains("\"assistant\",\"content\":\"HHHHH");
      chat.keys("C-c").awaitEnd(WARNING);
      chat.keys("text", "C-c").awaitEnd("> text\n>\n");
      chat.keys("C-c").awaitEnd("> text\n>\n" + WARNING);
      chat.keys("C-c").awaitExit(130);
    }
  }

  @Test
  void whatIsTypedWhileItAnswersStandsInTheNextLine() {
    try (Tmux chat = endless("--max-tokens", "1000")) {
      chat.keys("Hello", "Enter").await("HHHHH").keys("next");
      assertThat(chat.screen()).doesNotContain("> next");
      chat.awaitEnd("H\n> next\n");
      assertThat(chat.screen()).doesNotContain("Hn").doesNotContain("tH");
    }
  }

  @Test
  void theTerminalGoes() throws Exception {
    for (boolean answering : new boolean[] {false, true}) {
      CompletableFuture<ProcessHandle> gone;
      try (Tmux chat = endless()) {
        if (answering) {
          chat.keys("Hello", "Enter").await("HHHHH");
        }
        gone = chat.process().onExit();
      }
      gone.get(20, TimeUnit.SECONDS);
    }
  }

  // ------------------------------------------------------------------------------------- commands

  @Test
  void aQuestionIsChangedInTheLine() throws IOException {
    try (Tmux chat = chat(80, talking, "One.|Two.|")) {
      chat.keys("/edit", "Enter").awaitEnd("(there is no question yet)\n>\n");
      chat.keys("Hello", "Enter").awaitEnd("One.\n>\n").keys("/edit", "Enter");
      chat.awaitEnd("> Hello\n").keys(" there", "Enter").awaitEnd("> Hello there\nTwo.\n>\n");
      assertThat(kept()).contains("Hello there").contains("Two.").doesNotContain("One.");
      chat.keys("/edit", "Enter").awaitEnd("> Hello there\n").keys("C-c").awaitPrompt();
      assertThat(kept()).contains("Two.");
    }
  }

  @Test
  void aQuestionIsChangedInTheEditor() throws IOException {
    Map<String, String> sed = Map.of("EDITOR", "sed -i s/Hello/Bye/");
    try (Tmux chat = chat(80, sed, talking, "One.|Two.|")) {
      chat.keys("Hello", "Enter").awaitEnd("One.\n>\n").keys("/edit", "Enter");
      chat.awaitEnd("> Bye\nTwo.\n>\n");
      assertThat(kept()).contains("Bye").doesNotContain("Hello");
    }
  }

  // ------------------------------------------------------------------------- where it cannot edit

  @Test
  void onlyAConversationLoadsJLine() throws IOException, InterruptedException {
    Path loaded = home.resolve("loaded");
    List<String> log = List.of("-Xlog:class+load=info:file=" + loaded);
    Map<String, String> environment =
        Map.of("HOME", home.toString(), "XDG_CONFIG_HOME", home.toString(), "TERM", "xterm");
    String[][] commands = {
      {"--version"},
      {"chat", "--help"},
      {"chat", "-m", talking, "--max-tokens", "2", "Hello"},
      {"chat", "-m", talking, "--max-tokens", "2", "--color", "always", "Hello"},
    };
    for (String[] command : commands) {
      CliProcess.run(environment, log, command).done();
      assertThat(Files.readString(loaded))
          .contains(" " + Main.class.getName() + " ")
          .doesNotContain(" org.jline.");
    }
    try (Tmux chat = Tmux.start(80, 24, home, Map.of(), log, "chat", "-m", talking)) {
      chat.awaitPrompt().keys("C-d").awaitExit(0);
      assertThat(Files.readString(loaded)).contains(" org.jline.reader.LineReader ");
    }
  }

  @Test
  void withoutATerminalOnOneSideLinesArePlain() {
    // Standard input is a pipe that the program is told to take for a terminal.
    try (Tmux chat =
        Tmux.start(
            80,
            24,
            home,
            Map.of(),
            List.of(),
            "chat",
            "-m",
            talking,
            "--no-stats",
            "--temp",
            "0",
            "--max-tokens",
            "3",
            "--logit-bias",
            "72=1000",
            Tmux.PIPED)) {
      chat.await("qnext: lines cannot be edited in this terminal: ");
      chat.keys("Hello", "Enter").awaitEnd("> Hello\nHHH\n>\n");
    }
  }
}
