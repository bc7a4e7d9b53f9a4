package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What only a process of its own shows: exit codes, pipes, signals, environment, locale. */
@Timeout(120)
class ProcessTest {
  private static final String TINY = GoldenPrompts.folder("tiny/hf");
  private static final String SMALL = Golden.path("tokenizer/small_tokenizer.json").toString();

  private static final Map<String, String> NOTHING = Map.of();

  @TempDir private static Path temp;

  /** Goes on for many minutes. */
  private static String[] endless;

  @BeforeAll
  static void make() {
    String model = TextFolder.makeEndless(temp.resolve("endless")).toString();
    endless =
        new String[] {
          "complete",
          "-m",
          model,
          "--ids",
          "1",
          "--print-ids",
          "--ignore-eos",
          "--max-tokens",
          "900000"
        };
  }

  private static Outcome run(String... args) throws IOException, InterruptedException {
    return CliProcess.run(NOTHING, List.of(), args);
  }

  @Test
  void exitCodes() throws IOException, InterruptedException {
    assertThat(run("--version").exit()).isZero();
    run("tokens", "-m", "/nowhere", "x").failed(1, "there is no model folder /nowhere");
    assertThat(run("--frobnicate").exit()).isEqualTo(2);
  }

  @Test
  void answerOnStandardOutputAloneAndStatisticsOnStandardError()
      throws IOException, InterruptedException {
    Outcome outcome =
        run("complete", "-m", TINY, "--ids", "1,2", "--max-tokens", "4", "--temp", "0");
    assertThat(outcome.done().out()).matches("\\d+( \\d+){3}\n");
    assertThat(outcome.err()).startsWith("[ prompt 2 tokens").endsWith("]\n").hasLineCount(1);
  }

  @Test
  void theModelOfTheEnvironment() throws IOException, InterruptedException {
    Map<String, String> environment = Map.of("QNEXT_MODEL", SMALL);
    Outcome outcome = CliProcess.run(environment, List.of(), "tokens", "<|im_end|>");
    outcome.quiet().printing("1002\n");
    CliProcess.run(environment, List.of(), "tokens", "-m", "/nowhere", "x")
        .failed(1, "there is no model folder /nowhere");
    CliProcess.run(Map.of("QNEXT_MODEL", ""), List.of(), "tokens", "x")
        .failed(1, "no model was chosen; --model DIR names one");
  }

  @Test
  void theBundledModelSaysThatItAnswers() throws IOException, InterruptedException {
    Path home = temp.resolve("home");
    TextFolder.make(home.resolve("models/demo"));
    CliProcess.run(NOTHING, List.of("-Dqnext.home=" + home), "tokens", "<|im_end|>")
        .done()
        .printing("511\n")
        .saying(
            "qnext: no model chosen, so the bundled demonstration answers; --model DIR picks another\n");
  }

  @Test
  void textIsUtf8InAnyLocale() throws IOException, InterruptedException {
    Map<String, String> plain = Map.of("LC_ALL", "C");
    String text = "caf\u00e9 \u4e9b \ud83d\udea3";
    try (CliProcess process = CliProcess.start(plain, List.of(), "tokens", "-m", SMALL)) {
      process.type(text);
      process.endInput();
      String ids = process.end().quiet().out();
      CliProcess.run(plain, List.of(), "tokens", "-m", SMALL, "--ids", ids)
          .quiet()
          .printing(text + "\n");
    }
    try (CliProcess process = CliProcess.start(plain, List.of(), "tokens", "-m", SMALL, "--ids")) {
      process.type("caf\u00e9");
      process.endInput();
      assertThat(process.end().err()).startsWith("qnext: \"caf\u00e9\" is not a token id");
    }
  }

  @Test
  void messagesDoNotFollowTheLocale() throws IOException, InterruptedException {
    List<String> german = List.of("-Duser.language=de", "-Duser.country=DE");
    try (CliProcess process =
        CliProcess.start(
            NOTHING, german, "complete", "-m", GoldenPrompts.folder("yarn/hf"), "--ids")) {
      process.type("1 ".repeat(1234));
      process.endInput();
      assertThat(process.end().err()).startsWith("qnext: the prompt has 1,234 tokens");
    }
  }

  // --------------------------------------------------------------------------------------- pipes

  @Test
  void aPipeThatIsClosedWhileTheModelTalksEndsItQuietly() throws IOException, InterruptedException {
    try (CliProcess process = CliProcess.startUnread(endless)) {
      process.endInput();
      try (InputStream out = process.unreadOutput()) {
        assertThat(out.readNBytes(10)).hasSize(10);
      }
      process.end().quiet();
    }
  }

  @Test
  void aPipeThatIsClosedBeforeTheFirstTokenEndsItQuietly()
      throws IOException, InterruptedException {
    for (String command : new String[] {"complete", "score"}) {
      try (CliProcess process = CliProcess.startUnread(command, "-m", TINY, "--ids")) {
        process.unreadOutput().close();
        process.type("1 2 3");
        process.endInput();
        Outcome outcome = process.end().done();
        assertThat(outcome.err()).doesNotContain("qnext:").doesNotContain("at dev.qnext");
      }
    }
  }

  @Test
  void aPipeThatIsClosedUnderALongListEndsItQuietly() throws IOException, InterruptedException {
    try (CliProcess process = CliProcess.startUnread("tokens", "-m", SMALL)) {
      process.type("the harbour and the wind ".repeat(20_000));
      process.endInput();
      try (InputStream out = process.unreadOutput()) {
        assertThat(out.readNBytes(10)).hasSize(10);
      }
      process.end().quiet();
    }
  }

  @Test
  void aFullDiskIsNoClosedPipe() throws IOException, InterruptedException {
    assumeTrue(Files.exists(Path.of("/dev/full")), "there is no /dev/full");
    String words =
        String.join("' '", CliProcess.command(List.of(), "tokens", "-m", SMALL, "the wind"));
    List<String> shell = List.of("sh", "-c", "'" + words + "' < /dev/null > /dev/full");
    try (CliProcess process = CliProcess.start(NOTHING, shell, true)) {
      Outcome outcome = process.end();
      assertThat(outcome.err()).startsWith("qnext: cannot write to standard output: ");
      assertThat(outcome.exit()).isEqualTo(1);
    }
  }

  @Test
  void inAShellPipeline() throws IOException, InterruptedException {
    String words = String.join("' '", CliProcess.command(List.of(), endless));
    String pipeline = "'" + words + "' < /dev/null | head -c 10";
    try (CliProcess process = CliProcess.start(NOTHING, List.of("sh", "-c", pipeline), true)) {
      Outcome outcome = process.end().quiet();
      assertThat(outcome.out()).hasSize(10);
    }
  }

  // -------------------------------------------------------------------------------------- signals

  @Test
  void interruptedInOneShot() throws IOException, InterruptedException {
    CliProcess.assumeInterruptible();
    try (CliProcess process = CliProcess.start(endless)) {
      process.endInput();
      process.awaitOut(" ", 5);
      process.interrupt();
      Outcome outcome = process.end();
      assertThat(outcome.exit()).isEqualTo(130);
      assertThat(outcome.err()).isEmpty();
      assertThat(outcome.out()).matches("\\d+( \\d+){5,} ?");
    }
  }

  @Test
  void interruptedWhileItReadsStandardInput() throws IOException, InterruptedException {
    CliProcess.assumeInterruptible();
    try (CliProcess process = CliProcess.start("tokens", "-m", SMALL, "--jsonl")) {
      process.type("{\"text\": \"the\"}\n");
      process.awaitOut("\n", 1);
      process.interrupt();
      assertThat(process.end().exit()).isEqualTo(130);
    }
  }

  // ------------------------------------------------------------------------------ as a filter

  @Test
  void everyLineIsAnsweredWhenItComes() throws IOException, InterruptedException {
    try (CliProcess process = CliProcess.start("tokens", "-m", SMALL, "--jsonl")) {
      for (int i = 1; i <= 3; i++) {
        process.type("{\"text\": \"the\"}\n");
        process.awaitOut("\n", i);
      }
      process.endInput();
      assertThat(process.end().quiet().out()).hasLineCount(3);
    }
  }

  @Test
  void everyTokenIsShownWhenItComes() throws IOException, InterruptedException {
    try (CliProcess process = CliProcess.start(endless)) {
      process.endInput();
      process.awaitOut(" ", 1);
      assertThat(process.out().length()).describedAs("less than a buffer").isLessThan(30_000);
    }
  }

  @Test
  void bytesOfTheAnswerAreWhatTheTokensAre() throws IOException, InterruptedException {
    String model = TextFolder.make(temp.resolve("talking")).toString();
    // 0xC3 0xA9 would be e with acute; alone each is half a character.
    String[] args = {
      "complete",
      "-m",
      model,
      "--temp",
      "0",
      "--max-tokens",
      "2",
      "--no-stats",
      "--logit-bias",
      "195=1000",
      "--presence-penalty",
      "2000",
      "--logit-bias",
      "169=999",
      "x"
    };
    Outcome outcome = run(args).quiet();
    assertThat(outcome.out().getBytes(StandardCharsets.UTF_8))
        .isEqualTo("\u00e9\n".getBytes(StandardCharsets.UTF_8));
  }
}
