package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Ctrl-C, a shutdown, and a terminal that goes away, in every phase of one-shot use: the process
 * ends soon with the signal's exit code, not a word on standard error, and nothing half-written.
 * LeavingTest shows in what order the model is closed meanwhile.
 */
@Timeout(120)
class SignalsTest {
  /** Seconds; it takes a tenth of this on a machine with nothing else to do. */
  private static final double SOON = 2;

  @TempDir private static Path temp;

  private static String model;

  @BeforeAll
  static void make() throws IOException {
    CliProcess.assumeInterruptible();
    model = TextFolder.makeEndless(temp.resolve("endless")).toString();
  }

  /** Each pass is told by a line on standard error, as is the loading of the weights. */
  private static CliProcess start(String command, String javaOption, String prompt)
      throws IOException {
    CliProcess process =
        CliProcess.start(
            Map.of(),
            List.of(javaOption),
            command,
            "-m",
            model,
            "--backend",
            "watched",
            "--ignore-eos",
            "--max-tokens",
            "900000");
    process.type(prompt);
    process.endInput();
    return process;
  }

  private static Outcome signalled(CliProcess process, String signal, String phase)
      throws IOException, InterruptedException {
    long start = System.nanoTime();
    process.signal(signal);
    Outcome outcome = process.end();
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf("%s in %s: gone after %.0f ms%n", signal, phase, seconds * 1e3);
    assertThat(seconds).describedAs("seconds until the process was gone").isLessThan(SOON);
    assertThat(outcome.err()).doesNotContain("qnext:").doesNotContain("Exception");
    return outcome;
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143", "HUP, 129"})
  void whileInputIsRead(String signal, int exit) throws IOException, InterruptedException {
    try (CliProcess process = CliProcess.start("tokens", "-m", model, "--jsonl")) {
      process.type("{\"text\":\"the\"}\n");
      process.awaitOut("\n", 1);
      Outcome outcome = signalled(process, signal, "reading");
      assertThat(outcome.exit()).isEqualTo(exit);
      assertThat(outcome.err()).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "chat, INT, 130",
    "chat, TERM, 143",
    "chat, HUP, 129",
    "complete, INT, 130",
    "complete, TERM, 143",
    "complete, HUP, 129"
  })
  void inLoading(String command, String signal, int exit) throws IOException, InterruptedException {
    try (CliProcess process = start(command, "-Dwatched.bind=200", "The wind")) {
      process.awaitErr("Backend.bind", 1);
      Outcome outcome = signalled(process, signal, "loading");
      assertThat(outcome.exit()).isEqualTo(exit);
      assertThat(outcome.out()).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "chat, INT, 130",
    "chat, TERM, 143",
    "chat, HUP, 129",
    "complete, INT, 130",
    "complete, TERM, 143",
    "complete, HUP, 129"
  })
  void inPrefill(String command, String signal, int exit) throws IOException, InterruptedException {
    try (CliProcess process = start(command, "-Dwatched.embed=1", "the wind ".repeat(50_000))) {
      process.awaitErr("Backend.embed", 3);
      Outcome outcome = signalled(process, signal, "prefill");
      assertThat(outcome.exit()).isEqualTo(exit);
      assertThat(outcome.out()).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "chat, INT, 130",
    "chat, TERM, 143",
    "chat, HUP, 129",
    "complete, INT, 130",
    "complete, TERM, 143",
    "complete, HUP, 129"
  })
  void inDecode(String command, String signal, int exit) throws IOException, InterruptedException {
    try (CliProcess process = start(command, "-Dwatched.sample=1", "The wind")) {
      process.awaitErr("Backend.sample", 20);
      Outcome outcome = signalled(process, signal, "decode");
      assertThat(outcome.exit()).isEqualTo(exit);
    }
  }

  /** The second Ctrl-C comes while the first is obeyed. */
  @Test
  void twiceInARow() throws IOException, InterruptedException {
    try (CliProcess process = start("complete", "-Dwatched.sample=80", "The wind")) {
      process.awaitErr("Backend.sample", 2);
      process.interrupt();
      assertThat(signalled(process, "INT", "leaving").exit()).isEqualTo(130);
    }
  }

  /** As under nohup: a shell that ignores a signal hands that on. */
  @Test
  void aHangUpThatIsToBeIgnored() throws IOException, InterruptedException {
    List<String> words =
        CliProcess.command(List.of("-Dwatched.sample=20"), "complete", "-m", model, "--backend");
    words.addAll(List.of("watched", "--ignore-eos", "--max-tokens", "40", "The wind"));
    List<String> shell =
        new java.util.ArrayList<>(List.of("bash", "-c", "trap '' HUP; exec \"$@\"", "-"));
    shell.addAll(words);
    try (CliProcess process = CliProcess.start(Map.of(), shell, true)) {
      process.endInput();
      process.awaitErr("Backend.sample", 3);
      process.signal("HUP");
      process.end().done();
    }
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143", "HUP, 129"})
  void nothingHalfWritten(String signal, int exit) throws IOException, InterruptedException {
    Path file = temp.resolve("x.safetensors");
    Path partial = temp.resolve("x.safetensors.partial");
    List<String> words = CliProcess.command(List.of(), file.toString());
    words.replaceAll(
        word -> word.equals(Main.class.getName()) ? HalfWriting.class.getName() : word);
    try (CliProcess process = CliProcess.start(Map.of(), words, true)) {
      process.awaitErr("half", 1);
      assertThat(Files.exists(partial)).isTrue();
      assertThat(signalled(process, signal, "writing").exit()).isEqualTo(exit);
    }
    assertThat(file).doesNotExist();
    assertThat(partial).doesNotExist();
  }
}
