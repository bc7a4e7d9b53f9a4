package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Ten thousand tokens in one answer, by a real process whose memory is looked at meanwhile: it must
 * not grow, but for keys and values. The heap has a fixed size and is in memory from the start, so
 * that what grows is native, and a leak on the heap ends in an error.
 */
@EnabledIfSystemProperty(
    named = "qnext.long",
    matches = "true",
    disabledReason = "takes a minute; -Dqnext.long=true runs it")
@Timeout(600)
class LongAnswerTest {
  private static final int TOKENS = 10_000;

  /** Until here Java's compiler fills its own memory. */
  private static final int WARM = 5000;

  private static final int STEP = 1000;

  /** Tokens behind the last look. */
  private static final int SPARE = 500;

  /**
   * Kilobytes from {@link #WARM} on. Keys and values of the tiny model are 4 heads of 32 numbers of
   * 4 bytes for a token, and while their memory doubles both halves are there.
   */
  private static final long MOST = 4L * 32 * 4 * 2 * TOKENS / 1024 + 4096;

  /** MLX keeps freed buffers for later, up to a limit (MlxBackend); MlxLeakTest looks beneath. */
  private static final long KEPT_BY_MLX = 1L << 20;

  @TempDir private Path temp;

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "reference", "mlx"})
  void memoryStaysFlat(String backend) throws IOException, InterruptedException {
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "memory is read from /proc");
    List<String> java =
        new ArrayList<>(
            List.of("-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", "-XX:TieredStopAtLevel=4"));
    if (backend.equals("mlx")) {
      String mlx = System.getenv("QNEXT_MLX");
      assumeTrue(mlx != null, "QNEXT_MLX is not set");
      java.add("-Dqnext.mlx=" + mlx);
    }
    String model = TextFolder.makeEndless(temp.resolve("endless")).toString();
    List<Long> resident = new ArrayList<>();
    try (CliProcess process =
        CliProcess.start(
            Map.of(),
            java,
            "complete",
            "-m",
            model,
            "--backend",
            backend,
            "--ids",
            "1",
            "--print-ids",
            "--ignore-eos",
            "--max-tokens",
            String.valueOf(TOKENS + SPARE))) {
      process.endInput();
      for (int tokens = STEP; tokens <= TOKENS; tokens += STEP) {
        process.awaitOut(" ", tokens);
        resident.add(resident(process.pid()));
      }
      Outcome outcome = process.end().done();
      assertThat(outcome.out().split(" ")).hasSize(TOKENS + SPARE);
      System.out.printf(
          Locale.ROOT,
          "%s: resident kB after every %d tokens: %s; %s",
          backend,
          STEP,
          resident,
          outcome.err());
    }
    List<Long> warm = resident.subList(WARM / STEP - 1, resident.size());
    long least = warm.stream().mapToLong(kb -> kb).min().orElseThrow();
    long last = warm.getLast();
    assertThat(last - least)
        .describedAs("kB that grew: %s", resident)
        .isLessThan(backend.equals("mlx") ? MOST + KEPT_BY_MLX : MOST);
  }

  /** Kilobytes in memory that are the process's own; 0 once it is gone. */
  private static long resident(long pid) throws IOException {
    long kilobytes = 0;
    for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
      if (line.startsWith("RssAnon:")) {
        kilobytes = Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    assertThat(kilobytes).isPositive();
    return kilobytes;
  }
}
