package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A conversation, typed into a process that takes its pipes for a terminal. */
@Timeout(120)
class TalkTest {
  private static final String PROMPT = "> ";

  @TempDir private static Path temp;

  private static String talking;
  private static String endless;

  @BeforeAll
  static void make() {
    talking = TextFolder.make(temp.resolve("talking")).toString();
    endless = TextFolder.makeEndless(temp.resolve("endless")).toString();
  }

  private static CliProcess chat(String... more) {
    return chatWith(talking, more);
  }

  /** The model says H (72) only. */
  private static CliProcess chatWith(String model, String... more) {
    return chatAt(temp.resolve("home"), model, more);
  }

  private static CliProcess chatAt(Path home, String model, String... more) {
    List<String> args = new ArrayList<>(List.of("chat", "-m", model, "--temp", "0"));
    args.addAll(List.of("--logit-bias", "72=1000"));
    args.addAll(List.of(more));
    return CliProcess.start(
        Map.of("TERM", "dumb", "HOME", home.toString(), "XDG_CONFIG_HOME", home.toString()),
        List.of("-Dqnext.terminals=012"),
        args.toArray(String[]::new));
  }

  @Test
  void questionsAnswersAndStatistics() throws IOException, InterruptedException {
    try (CliProcess chat = chat("--max-tokens", "3")) {
      chat.awaitOut(PROMPT, 1);
      chat.type("Hello\n");
      chat.awaitOut(PROMPT, 2);
      chat.type("\n   \n");
      chat.awaitOut(PROMPT, 4);
      chat.type("And?\r\n");
      chat.awaitOut(PROMPT, 5);
      chat.type("/exit\n");
      Outcome outcome = chat.end().done().printing("> HHH\n> > > HHH\n> ");
      String[] lines = outcome.err().split("\n", -1);
      assertThat(lines[0])
          .matches("qnext talking on (cpu|mlx|reference); /help lists the commands");
      assertThat(lines[1]).startsWith("[ prompt 2").contains(" | stopped by --max-tokens");
      // All but the last token of the first answer was read.
      assertThat(lines[2]).containsPattern("prompt \\d+ tokens, \\d+ of them reused");
      assertThat(lines).hasSize(4);
    }
  }

  @Test
  void endOfInputLeaves() throws IOException, InterruptedException {
    try (CliProcess chat = chat("--max-tokens", "3", "--no-stats")) {
      chat.type("Hello");
      chat.endInput();
      chat.end().done().printing("> HHH\n> \n");
    }
  }

  @Test
  void commands() throws IOException, InterruptedException {
    String missing = temp.resolve("missing").toString();
    String[][] dialogue = {
      {"/help", "/help               this list\n"},
      {"/frob nicate", "there is no command /frob; /help lists them\n"},
      {"/regn", "there is no command /regn; did you mean /regen?\n"},
      {"/set", "temp          0.0\n"},
      {"/set temp 0.5", "temp: 0.5\n"},
      {"/set temp -1", "qnext: temperature is -1.0 but must be at least 0\n"},
      {"/set temp", "temp: 0.5\n"},
      {"/set temp default", "temp: 0.7 (the model's)\n"},
      {"/set top-k many", "qnext: \"many\" is not a whole number for top-k\n"},
      {"/set tmp", "qnext: there is no setting tmp; did you mean temp?\n"},
      {"/set think loud", "qnext: think is loud but must be show, fold or hide\n"},
      {"/set think-budget 7", "think-budget: 7\n"},
      {"/set stats yes", "qnext: stats is yes but must be on or off\n"},
      {"/show", "context       0 of 4,096 tokens\n"},
      {"/regen", "(there is no answer yet)\n"},
      {"/undo", "(there is nothing to take back)\n"},
      {"/edit", "(there is no question yet)\n"},
      {"/save", "qnext: the conversation needs a name: /save NAME\n"},
      {"/save a/b", "qnext: \"a/b\" cannot name a conversation: use letters, digits and dashes\n"},
      {"/load", "(no conversation is saved)\n"},
      {"/system", "(no system message)\n"},
      {"/system Be brief.", "(the system message is set)\n"},
      {"/system", "Be brief.\n"},
      {"/system @" + missing, "qnext: cannot read " + missing + ": there is no such file\n"},
      {"/clear", "(the conversation is forgotten)\n"},
      {"  /system  ", "Be brief.\n"},
    };
    try (CliProcess chat = chat("--max-tokens", "3", "--no-stats")) {
      int prompts = 1;
      int brief = 0;
      chat.awaitOut(PROMPT, prompts);
      for (String[] turn : dialogue) {
        chat.type(turn[0] + "\n");
        chat.awaitErr(turn[1], turn[1].startsWith("Be") ? ++brief : 1);
        chat.awaitOut(PROMPT, ++prompts);
      }
      chat.type("Hello\n/bye\n");
      assertThat(chat.end().done().out()).isEqualTo("> ".repeat(prompts) + "HHH\n> ");
    }
  }

  @Test
  void manyLines() throws IOException, InterruptedException {
    Path home = temp.resolve("lines");
    try (CliProcess chat = chatAt(home, talking, "--max-tokens", "3", "--no-stats")) {
      chat.type("\"\"\"\none\n\n/exit\n\"\"\"\nthree\\\nfour\n/system \"\"\"Be\nbrief.\"\"\"\n");
      chat.endInput();
      chat.end().done().printing("> . . . . HHH\n> . HHH\n> . > \n");
      assertThat(kept(home)).contains("\"one\\n\\n/exit\"").contains("\"three\\nfour\"");
    }
  }

  private static String kept(Path home) throws IOException {
    StringBuilder kept = new StringBuilder();
    try (Stream<Path> files = Files.list(home.resolve("qnext/conversations"))) {
      for (Path file : files.sorted().toList()) {
        kept.append(Files.readString(file));
      }
    }
    return kept.toString();
  }

  @Test
  void questionsAreTakenBackAndAnsweredAgain() throws IOException, InterruptedException {
    Path home = temp.resolve("back");
    try (CliProcess chat = chatAt(home, talking, "--max-tokens", "3")) {
      chat.type("One\nTwo\n/undo\n/regen\n/edit\n");
      chat.endInput();
      Outcome outcome = chat.end().done().printing("> HHH\n> HHH\n> > HHH\n> > \n");
      assertThat(outcome.err())
          .contains("(taken back: Two)\n")
          .contains("(at temperature 0 it is the same again; /set temp 0.7 changes that)\n")
          .contains("qnext: there is no editor; set VISUAL or EDITOR to the command of one\n");
      assertThat(kept(home)).containsOnlyOnce("\"One\"").doesNotContain("Two");
    }
  }

  @Test
  void anotherSeedAnswersAgain() throws IOException, InterruptedException {
    Path home = temp.resolve("seeds");
    try (CliProcess chat = chatAt(home, talking, "--seed", "5", "--max-tokens", "3")) {
      chat.type("/set temp 1\nOne\n/regen\n/show\n");
      chat.endInput();
      String err = chat.end().done().err();
      assertThat(err).contains("| seed 5 ").contains("| seed 6 ").contains("seed          6\n");
    }
  }

  @Test
  void conversationsAreSavedAndLoaded() throws IOException, InterruptedException {
    Path home = temp.resolve("saved");
    try (CliProcess chat = chatAt(home, talking, "--max-tokens", "3", "--no-stats")) {
      chat.type("One\n/save first-one\n/clear\nTwo\n/load\n/load first-one\nThree\n/load none\n");
      chat.endInput();
      Outcome outcome = chat.end().done();
      assertThat(outcome.err())
          .contains("(saved as " + home + "/qnext/conversations/first-one.jsonl)\n")
          .contains("(saved: first-one)\n")
          .contains("(2 messages; last question: One)\n")
          .contains("qnext: cannot read " + home + "/qnext/conversations/none.jsonl: ");
    }
    // The first conversation, the second, the one that went on from the saved one, and that.
    try (Stream<Path> files = Files.list(home.resolve("qnext/conversations"))) {
      List<String> talks = new ArrayList<>();
      for (Path file : files.sorted().toList()) {
        talks.add(
            Files.readString(file).replaceAll("(?s).*?\"user\",\"content\":\"(\\w+)\"", "$1 "));
      }
      assertThat(talks).hasSize(4);
      assertThat(talks.get(0)).startsWith("One ");
      assertThat(talks.get(1)).startsWith("Two ");
      assertThat(talks.get(2)).startsWith("One Three ");
      assertThat(talks.get(3)).startsWith("One ").doesNotContain("Three");
    }
  }

  @Test
  void clearForgets() throws IOException, InterruptedException {
    try (CliProcess chat = chat("--max-tokens", "3")) {
      chat.type("Hello\n/clear\nHello\n");
      chat.endInput();
      String[] lines = chat.end().done().err().split("\n", -1);
      String first = lines[1].substring(0, lines[1].indexOf(','));
      assertThat(lines[2]).isEqualTo("(the conversation is forgotten)");
      assertThat(lines[3]).startsWith(first + ", ").doesNotContain("reused");
    }
  }

  @Test
  void aQuestionThatIsRefusedIsTakenBack() throws IOException, InterruptedException {
    try (CliProcess chat = chat("--max-tokens", "3", "--no-stats")) {
      chat.type("x".repeat(5000) + "\nHello\n");
      chat.endInput();
      Outcome outcome = chat.end().done().printing("> > HHH\n> \n");
      assertThat(outcome.err())
          .contains("qnext: the prompt has 5,0")
          .contains("shorten the prompt or start a new conversation\n");
    }
  }

  @Test
  void theFirstInterruptStopsTheAnswerAndKeepsTheConversation()
      throws IOException, InterruptedException {
    CliProcess.assumeInterruptible();
    try (CliProcess chat = chatWith(endless)) {
      chat.awaitOut(PROMPT, 1);
      chat.type("Hello\n");
      chat.awaitOut("H", 5);
      chat.interrupt();
      chat.awaitErr("| stopped ]\n", 1);
      chat.awaitOut(PROMPT, 2);
      chat.type("And?\n");
      chat.awaitOut("> H", 2);
      chat.interrupt();
      chat.awaitErr("| stopped ]\n", 2);
      chat.awaitErr("of them reused", 1);
      chat.endInput();
      assertThat(chat.end().done().out()).matches("> H+\n> H+\n> \n");
    }
  }

  @Test
  void atThePromptTheSecondInterruptLeaves() throws IOException, InterruptedException {
    CliProcess.assumeInterruptible();
    try (CliProcess chat = chat("--max-tokens", "3", "--no-stats")) {
      String warning = "(Ctrl-C again leaves; so do Ctrl-D and /exit)\n> ";
      chat.awaitOut(PROMPT, 1);
      chat.interrupt();
      chat.awaitErr(warning, 1);
      chat.type("Hello\n"); // takes the warning back
      chat.awaitOut(PROMPT, 2);
      chat.interrupt();
      chat.awaitErr(warning, 2);
      chat.interrupt();
      assertThat(chat.end().exit()).isEqualTo(130);
    }
  }

  /** With the terminal that util-linux makes; what is typed is echoed by it. */
  @Test
  void inATerminal() throws IOException, InterruptedException {
    assumeTrue(
        Files.exists(Path.of("/usr/bin/script")) && Files.exists(Path.of("/proc/self")),
        "there is no script of util-linux");
    String words =
        String.join(
            "' '",
            CliProcess.command(
                List.of(),
                "chat",
                "-m",
                talking,
                "--temp",
                "0",
                "--logit-bias",
                "72=1000",
                "--max-tokens",
                "3",
                "--no-stats"));
    List<String> script = List.of("script", "-qec", "'" + words + "'", "/dev/null");
    try (CliProcess chat = CliProcess.start(Map.of(), script, true)) {
      chat.awaitOut(PROMPT, 1);
      chat.type("Hello\n");
      chat.awaitOut("HHH\r\n> ", 1);
      chat.type("/exit\n");
      Outcome outcome = chat.end().done();
      assertThat(outcome.out()).contains("qnext talking on ").doesNotContain("Exception");
    }
  }
}
