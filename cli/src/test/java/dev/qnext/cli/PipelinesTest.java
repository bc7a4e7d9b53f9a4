package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Runs the table of docs/pipelines.md: each line is a shell command, and what it must do. */
@Timeout(120)
class PipelinesTest {
  private static final Path TABLE = Path.of("..", "docs", "pipelines.md");

  /** The first words of the table's head, by which it is found. */
  private static final String HEAD = "| Case | Command | Exit |";

  @TempDir private static Path temp;

  private static Path work;

  /** One line of the table; {@code …} stands for any text. */
  record Case(String name, String command, String exit, String out, String err) {
    @Override
    public String toString() {
      return name;
    }
  }

  /** Cells are code between backticks, lines between {@code <br>}, and {@code \|} is a bar. */
  static List<Case> cases() throws IOException {
    List<Case> cases = new ArrayList<>();
    boolean inTable = false;
    for (String line : Files.readAllLines(TABLE)) {
      inTable |= line.startsWith(HEAD);
      if (!inTable || line.startsWith(HEAD) || line.startsWith("|---")) {
        continue;
      }
      String[] cells = line.split("(?<!\\\\)\\|", -1);
      assertThat(cells).describedAs(line).hasSize(7);
      cases.add(
          new Case(
              cells[1].strip(), code(cells[2]), code(cells[3]), code(cells[4]), code(cells[5])));
    }
    return cases;
  }

  private static String code(String cell) {
    List<String> lines = new ArrayList<>();
    for (String line : cell.strip().split("<br>", -1)) {
      lines.add(line.replaceAll("^`|`$", "").replace("\\|", "|"));
    }
    return String.join("\n", lines);
  }

  /** A folder as the page describes it, and {@code qnext} on the path. */
  @BeforeAll
  static void prepare() throws IOException {
    work = Files.createDirectory(temp.resolve("work"));
    Files.writeString(work.resolve("user.jinja"), "{{ messages[0].content|tojson }}");
    Files.write(work.resolve("latin1.txt"), "café".getBytes(StandardCharsets.ISO_8859_1));
    Path small = TextFolder.make(work.resolve("small"));
    Path config = small.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replace("\"max_position_embeddings\": 4096", "\"max_position_embeddings\": 256"));
    String java = "'" + String.join("' '", CliProcess.command(List.of())) + "'";
    Path program = Files.createDirectories(temp.resolve("bin")).resolve("qnext");
    Files.writeString(
        program,
        """
        #!/usr/bin/env bash
        . '%s'
        open_streams
        case $1 in
          chat | complete | perplexity | score) command=$1 && shift && set -- "$command" --backend reference "$@" ;;
        esac
        %s "$@"
        echo "$?" >>"$STATUS"
        """
            .formatted(
                Path.of("..", "scripts", "launcher", "streams.sh").toAbsolutePath().normalize(),
                java));
    assertThat(program.toFile().setExecutable(true)).isTrue();
  }

  @Test
  void thereAreAtLeastFortyCases() throws IOException {
    List<Case> cases = cases();
    assertThat(cases).hasSizeGreaterThanOrEqualTo(40);
    assertThat(cases.stream().map(Case::name)).doesNotHaveDuplicates();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void behavesAsThePageSays(Case given) throws IOException, InterruptedException {
    assumeTrue(
        !given.command.contains("/dev/full") || Files.exists(Path.of("/dev/full")),
        "there is no /dev/full");
    Path status = Files.createTempFile(temp, "status", "");
    Path home = Files.createDirectories(temp.resolve("home"));
    Map<String, String> environment =
        Map.of(
            "PATH", temp.resolve("bin") + ":" + System.getenv("PATH"),
            "QNEXT_MODEL", Path.of("..", "models", "demo").toAbsolutePath().normalize().toString(),
            "STATUS", status.toString(),
            "HOME", home.toString(),
            "XDG_CONFIG_HOME", home.resolve("config").toString());
    List<String> shell =
        List.of("bash", "-c", "cd '%s' || exit\n%s".formatted(work, given.command));
    try (CliProcess process = CliProcess.start(environment, shell, true)) {
      process.endInput();
      Outcome outcome = process.end();
      assertThat(outcome.err()).describedAs("standard error").matches(pattern(given.err));
      assertThat(outcome.out()).describedAs("standard output").matches(pattern(given.out));
    }
    assertThat(Files.readAllLines(status)).describedAs("exit code").containsOnly(given.exit);
  }

  private static Pattern pattern(String text) {
    StringBuilder pattern = new StringBuilder();
    for (String part : text.split("…", -1)) {
      pattern.append(pattern.isEmpty() ? "" : ".*").append(Pattern.quote(part));
    }
    return Pattern.compile(pattern + "\n?", Pattern.DOTALL);
  }
}
