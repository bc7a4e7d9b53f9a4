package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** All commands at once: their names, the completion of shells, the manual page. */
class CommandsTest {
  @TempDir private Path temp;

  @Test
  void namesAreThoseOfTheAnnotations() {
    Map<String, CommandLine> commands = Commands.all().getSubcommands();
    assertThat(commands.keySet()).containsExactlyElementsOf(Commands.NAMES);
    commands.forEach((name, command) -> assertThat(command.getCommandName()).isEqualTo(name));
  }

  @Test
  void onlyTheCalledCommandIsMade() {
    assertThat(Commands.forArguments("chat", "score").getSubcommands()).containsOnlyKeys("chat");
    assertThat(Commands.forArguments("--debug", "chat").getSubcommands()).hasSizeGreaterThan(9);
    assertThat(Commands.forArguments("help", "chat").getSubcommands()).hasSizeGreaterThan(9);
    assertThat(run("chta").err())
        .startsWith("qnext: there is no command chta; did you mean chat?\n");
  }

  /** What a program does with a text on its standard input. */
  private static Outcome feed(String text, Path folder, String... command)
      throws IOException, InterruptedException {
    Path out = Files.createTempFile(folder, "out", "");
    Path err = Files.createTempFile(folder, "err", "");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    try (var in = process.getOutputStream()) {
      in.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return new Outcome(process.waitFor(), Files.readString(out), Files.readString(err));
  }

  private static boolean has(String program) {
    for (String folder : System.getenv("PATH").split(":")) {
      if (Files.isExecutable(Path.of(folder, program))) {
        return true;
      }
    }
    return false;
  }

  /** {@code ~} is where the cursor is; words are divided as bash does. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "c | chat complete completion",
        "score --lo | --logits",
        "complete --no | --no-stats",
        "--debug chat --mod | --model",
        "chat --model ~ | org/One org/Two demo",
        "chat -m o | org/One org/Two",
        "score --model = org/T | org/Two",
        "score --model = | org/One org/Two demo",
        "use d | demo",
        "completion ~ | bash zsh",
        "help in | inspect",
        "chat ~ | ''",
        "nothing ~ | ''",
      })
  void bashCompletes(String words, String completions) throws IOException, InterruptedException {
    assumeTrue(has("bash"), "bash is missing");
    Path program =
        Files.writeString(
            temp.resolve("qnext"), "#!/bin/sh\nprintf 'org/One\\norg/Two\\ndemo\\n'\n");
    assertThat(program.toFile().setExecutable(true)).isTrue();
    StringBuilder script = new StringBuilder(run("completion", "bash").quiet().out());
    script.append("COMP_WORDS=(").append(program);
    String[] given = words.split(" ");
    for (String word : given) {
      script.append(" '").append(word.replace("~", "")).append("'");
    }
    script.append(")\nCOMP_CWORD=").append(given.length);
    script.append("\n_qnext_complete\necho \"${COMPREPLY[*]}\"\n");
    assertThat(feed(script.toString(), temp, "bash").quiet().out()).isEqualTo(completions + "\n");
  }

  @Test
  void zshReadsItsScript() throws IOException, InterruptedException {
    String script = run("completion", "zsh").quiet().out();
    assertThat(script).startsWith("#compdef qnext\n");
    assumeTrue(has("zsh"), "zsh is missing");
    feed(script, temp, "zsh", "-n").quiet();
  }

  @Test
  void theManualPageHoldsEveryCommandAndOption() {
    String roff = run("man").quiet().out();
    List<String> missing = new ArrayList<>();
    new TreeMap<>(Commands.all().getSubcommands())
        .forEach((name, command) -> {
          if (!roff.contains("\n.SS qnext " + name)) {
            missing.add(name);
          }
          command
              .getCommandSpec()
              .options()
              .forEach(option -> {
                String plain = option.longestName().replaceFirst("^--", "").replace("-", "\\-");
                if (!roff.contains(plain + "\\fR")) {
                  missing.add(option.longestName());
                }
              });
        });
    assertThat(missing).isEmpty();
  }

  @Test
  void groffHasNothingToSayOfTheManualPage() throws IOException, InterruptedException {
    assumeTrue(has("groff"), "groff is missing");
    Outcome page = feed(run("man").out(), temp, "groff", "-man", "-Tutf8", "-ww").quiet();
    String text = page.out().replaceAll(".\b", "").replaceAll("\u001b\\[[0-9;]*m", "");
    assertThat(text)
        .contains("\nNAME\n       qnext - run Qwen3-Next models", "\nEXIT STATUS\n", "\nFILES\n")
        .contains("       -m, --model=MODEL\n", "       --[no-]stats\n")
        .contains("chat.system = Answer briefly.");
  }

  @Test
  void mandocFindsNoError() throws IOException, InterruptedException {
    assumeTrue(has("mandoc"), "mandoc is missing");
    feed(run("man").out(), temp, "mandoc", "-T", "lint", "-W", "error").quiet();
  }
}
