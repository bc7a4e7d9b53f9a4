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
    List<String> args = new ArrayList<>(List.of("chat", "-m", model, "--temp", "0"));
    args.addAll(List.of("--logit-bias", "72=1000"));
    args.addAll(List.of(more));
    return CliProcess.start(
        Map.of("TERM", "dumb"), List.of("-Dqnext.terminals=012"), args.toArray(String[]::new));
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
