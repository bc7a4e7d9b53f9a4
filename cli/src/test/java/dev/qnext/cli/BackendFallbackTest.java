package dev.qnext.cli;

import static dev.qnext.cli.GoldenPrompts.folder;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.json.Json;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole program on a machine whose best backend computes wrong. */
class BackendFallbackTest {
  private static final String[] QUESTION = {
    "complete",
    "-m",
    folder("tiny/hf"),
    "--ids",
    "1,2,3",
    "--print-ids",
    "--temp",
    "0",
    "--max-tokens",
    "8",
    "--no-stats"
  };

  @TempDir private Path services;

  @BeforeEach
  void register() throws IOException {
    Path file = services.resolve("META-INF/services/dev.qnext.backend.BackendProvider");
    Files.createDirectories(file.getParent());
    Files.writeString(file, FaultyProvider.class.getName() + "\n");
  }

  private Outcome run(List<String> more, String... args) throws IOException, InterruptedException {
    List<String> words = new ArrayList<>(List.of(args));
    words.addAll(more);
    List<String> command =
        new ArrayList<>(CliProcess.command(List.of(), words.toArray(new String[0])));
    int path = command.indexOf("-cp") + 1;
    command.set(path, services + File.pathSeparator + command.get(path));
    try (CliProcess process = CliProcess.start(Map.of(), command, true)) {
      process.endInput();
      return process.end();
    }
  }

  @Test
  void anotherBackendComputesAndOneLineSaysSo() throws IOException, InterruptedException {
    Outcome right = run(List.of("--backend", "reference"), QUESTION).quiet();
    for (List<String> choice : List.of(List.<String>of(), List.of("--backend", "auto"))) {
      Outcome outcome = run(choice, QUESTION).done().printing(right.out());
      assertThat(outcome.err())
          .matches(
              "qnext: the backend faulty fails its self-test at swiglu \\(8 rows\\): error [0-9.]+,"
                  + " limit 2\\.0e-05; so (cpu|mlx|reference) computes, and 'qnext doctor' tells more\n");
    }
  }

  @Test
  void whoAsksForItGetsItWithAWarning() throws IOException, InterruptedException {
    Outcome outcome = run(List.of("--backend", "faulty"), QUESTION).done();
    assertThat(outcome.err())
        .startsWith("qnext: the backend faulty fails its self-test at swiglu (8 rows): error ")
        .endsWith("; its answers may be wrong, and 'qnext doctor' tells more\n")
        .containsOnlyOnce("\n");
  }

  @Test
  void doctorNamesTheFault() throws IOException, InterruptedException {
    Outcome text = run(List.of(), "doctor");
    assertThat(text.exit()).isEqualTo(1);
    assertThat(text.err()).isEmpty();
    assertThat(text.out())
        .contains("\nBackend faulty\n")
        .containsPattern("(?m)^  warn  device        made up by a test\n {22}fix: take another$")
        .containsPattern("(?m)^  FAIL  self-test     1 of \\d+ cases in ")
        .containsPattern("(?m)^  FAIL  swiglu        swiglu \\(8 rows\\): error ")
        .containsPattern("(?m)^1 check failed\\. Backend: (cpu|mlx|reference)\\.$");
    assertThat(text.out().lines()).allSatisfy(line -> assertThat(line).hasSizeLessThan(81));
    Outcome json = run(List.of("--json"), "doctor");
    assertThat(json.exit()).isEqualTo(1);
    Map<?, ?> object = (Map<?, ?>) Json.parse(json.out(), "the report");
    assertThat(object.get("passed")).isEqualTo(false);
    Map<?, ?> faulty = (Map<?, ?>) ((List<?>) object.get("backends")).getFirst();
    assertThat(faulty.get("name")).isEqualTo("faulty");
    assertThat(((Map<?, ?>) faulty.get("self_test")).get("passed")).isEqualTo(false);
  }
}
