package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A signal in one-shot use: no word more, and the model is closed before the process is gone. */
@Timeout(120)
class LeavingTest {
  private static final String CLOSED =
      "Weights.close on qnext-engine\nBackend.close on qnext-engine\n";

  @TempDir private Path temp;

  private String model = "";

  @BeforeEach
  void make() throws IOException {
    CliProcess.assumeInterruptible();
    model = TextFolder.makeEndless(temp.resolve("endless")).toString();
  }

  private CliProcess start(String javaOption, String... more) throws IOException {
    return start(List.of(javaOption, "-Dwatched.native=true"), more);
  }

  private CliProcess start(List<String> javaOptions, String... more) throws IOException {
    List<String> words =
        CliProcess.command(
            javaOptions, "complete", "-m", model, "--backend", "watched", "--ids", "1");
    words.addAll(List.of("--print-ids", "--ignore-eos", "--max-tokens", "900000"));
    words.addAll(List.of(more));
    CliProcess process = CliProcess.start(Map.of(), words, true);
    process.endInput();
    return process;
  }

  @Test
  void aPassThatIsRunningEndsFirst() throws IOException, InterruptedException {
    try (CliProcess process = start("-Dwatched.sample=300")) {
      process.awaitErr("Backend.sample", 3);
      process.interrupt();
      Outcome outcome = process.end();
      assertThat(outcome.err()).matches("(Backend.sample on qnext-engine\n){3,}" + CLOSED);
      assertThat(outcome.exit()).isEqualTo(130);
      assertThat(outcome.out()).matches("\\d+( \\d+)*");
    }
  }

  @Test
  void anAnswerThatIsCutIsNoObject() throws IOException, InterruptedException {
    try (CliProcess process = start("-Dwatched.sample=300", "--json")) {
      process.awaitErr("Backend.sample", 3);
      process.interrupt();
      Outcome outcome = process.end();
      assertThat(outcome.err()).endsWith("sample on qnext-engine\n" + CLOSED);
      assertThat(outcome.exit()).isEqualTo(130);
      assertThat(outcome.out()).isEmpty();
    }
  }

  @Test
  void aModelThatIsBeingLoaded() throws IOException, InterruptedException {
    try (CliProcess process = start("-Dwatched.bind=500")) {
      process.awaitErr("Backend.bind", 1);
      process.interrupt();
      Outcome outcome = process.end();
      assertThat(outcome.err()).doesNotContain("qnext:");
      assertThat(outcome.exit()).isEqualTo(130);
      assertThat(outcome.out()).isEmpty();
    }
  }

  @Test
  void aPassThatMayBeCutOffIsLeftAtOnce() throws IOException, InterruptedException {
    try (CliProcess process = start(List.of("-Dwatched.logits=600000"))) {
      process.awaitErr("Backend.logits", 1);
      long start = System.nanoTime();
      process.interrupt();
      Outcome outcome = process.end();
      assertThat((System.nanoTime() - start) / 1e9).isBetween(0.05, 1.5);
      assertThat(outcome.err()).isEqualTo("Backend.logits on qnext-engine\n");
      assertThat(outcome.exit()).isEqualTo(130);
    }
  }

  @Test
  void aPassThatTakesTooLongIsLeft() throws IOException, InterruptedException {
    try (CliProcess process = start("-Dwatched.logits=600000")) {
      process.awaitErr("Backend.logits", 1);
      long start = System.nanoTime();
      process.interrupt();
      Outcome outcome = process.end();
      assertThat((System.nanoTime() - start) / 1e9).isBetween(2.0, 30.0);
      assertThat(outcome.err()).isEqualTo("Backend.logits on qnext-engine\n");
      assertThat(outcome.exit()).isEqualTo(130);
    }
  }
}
