package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the user's settings do to commands, in processes with a home of their own. */
@Timeout(120)
class SettingsTest {
  private static final String TINY = GoldenPrompts.folder("tiny/hf");

  @TempDir private Path home;

  private Path file;

  @BeforeEach
  void makeFolder() throws IOException {
    file = home.resolve(".config/qnext/config");
    Files.createDirectories(file.getParent());
  }

  private Outcome run(Map<String, String> more, String... args)
      throws IOException, InterruptedException {
    Map<String, String> environment = new HashMap<>(more);
    environment.put("HOME", home.toString());
    environment.put("XDG_CONFIG_HOME", "");
    environment.put("HF_HUB_CACHE", home.resolve("hub").toString());
    return CliProcess.run(environment, List.of(), args);
  }

  private Outcome complete(String... args) throws IOException, InterruptedException {
    String[] words = {"complete", "-m", TINY, "--ids", "1,2", "--backend", "reference"};
    String[] all = new String[words.length + args.length];
    System.arraycopy(words, 0, all, 0, words.length);
    System.arraycopy(args, 0, all, words.length, args.length);
    return run(Map.of(), all);
  }

  @Test
  void settingsStandInForOptions() throws IOException, InterruptedException {
    Files.writeString(
        file, "max-tokens = 3\nchat.max-tokens = 9\nstats = false\nprint-ids = true\ntemp = 0\n");
    assertThat(complete().quiet().out()).matches("\\d+( \\d+){2}\n");
    // The command line comes first; a flag means the same with the setting as without it.
    Outcome given = complete("--max-tokens", "2", "--print-ids", "--stats").done();
    assertThat(given.out()).matches("\\d+ \\d+\n");
    assertThat(given.err()).startsWith("[ prompt 2 tokens");
  }

  @Test
  void theModelOfTheCommandLineThenOfTheEnvironmentThenOfTheSettings()
      throws IOException, InterruptedException {
    Files.writeString(file, "model = " + TINY + "\ninspect.model = " + home.resolve("none") + "\n");
    assertThat(run(Map.of(), "use").quiet().out())
        .isEqualTo(
            "model      %1$s\nfolder     %1$s\nchosen by  %2$s, line 1\n".formatted(TINY, file));
    run(Map.of(), "inspect")
        .failed(1, "%s, line 2: there is no model folder %s".formatted(file, home.resolve("none")));
    String other = GoldenPrompts.folder("tiny/mlx-4bit");
    Map<String, String> variable = Map.of("QNEXT_MODEL", other);
    assertThat(run(variable, "inspect").quiet().out()).contains(other + "\n");
    assertThat(run(variable, "inspect", "-m", TINY).quiet().out()).contains(TINY + "\n");
    assertThat(run(variable, "use").quiet().out()).endsWith("chosen by  QNEXT_MODEL\n");
    run(Map.of("QNEXT_MODEL", "/none"), "inspect")
        .failed(1, "QNEXT_MODEL: there is no model folder /none");
  }

  @Test
  void linesThatDoNothing() throws IOException, InterruptedException {
    Files.writeString(
        file,
        "tmep = 1\nmax-tokens = 1\nstats = false\nbogus\ncaht.temp = 1\nchat.print-ids = 1\n");
    Outcome outcome = complete().done();
    assertThat(outcome.err())
        .isEqualTo(
            """
            qnext: %1$s, line 4: "bogus" is no setting; write key = value
            qnext: %1$s, line 1: there is no setting tmep; the nearest is temp
            qnext: %1$s, line 5: there is no setting caht.temp; the nearest is chat.temp
            qnext: %1$s, line 6: there is no setting chat.print-ids; the nearest is complete.print-ids
            """
                .formatted(file));
  }

  @Test
  void valuesThatWillNotDo() throws IOException, InterruptedException {
    Files.writeString(file, "# mine\ntemp = warm\n");
    complete()
        .failed(2, file + ", line 2: Invalid value for option '--temp': 'warm' is not a float");
    complete("--temp", "hot").failed(2, "Invalid value for option '--temp': 'hot' is not a float");
    complete("--temp", "0", "--max-tokens", "1").done();
    Files.writeString(file, "# mine\ntemp = -1\n");
    complete().failed(2, file + ", line 2: temperature is -1.0 but must be at least 0");
    complete("--temp", "-2").failed(2, "temperature is -2.0 but must be at least 0");
    complete("--top-k", "-2", "--temp", "1").failed(2, "top-k is -2 but must be at least 0");
    Files.writeString(file, "print-ids = maybe\n");
    complete()
        .failed(
            2, file + ", line 1: Invalid value for option '--print-ids': 'maybe' is not a boolean");
  }

  /** A setting for one of a choice would exclude what is given on the command line. */
  @Test
  void choicesAreLeftToTheCommandLine() throws IOException, InterruptedException {
    Files.writeString(file, "json = true\nstats = false\nlog = false\nchat.jsonl = true\n");
    Path folder = TextFolder.make(home.resolve("talking"));
    String[] chat = {"chat", "-m", folder.toString(), "--max-tokens", "1", "--seed", "1", "x"};
    Outcome plain = run(Map.of(), chat).done();
    assertThat(plain.out()).doesNotStartWith("{");
    assertThat(plain.err())
        .isEqualTo(
            "qnext: %s, line 4: there is no setting chat.jsonl; the nearest is chat.log\n"
                .formatted(file));
    chat[chat.length - 1] = "--json";
    try (CliProcess process =
        CliProcess.start(Map.of("HOME", home.toString(), "XDG_CONFIG_HOME", ""), List.of(), chat)) {
      process.type("x");
      process.endInput();
      assertThat(process.end().done().out()).startsWith("{");
    }
    assertThat(home.resolve(".config/qnext/conversations")).doesNotExist();
  }

  @Test
  void variablesAreNotReplaced() throws IOException, InterruptedException {
    Path tokenizer = Files.createDirectories(home.resolve("m"));
    Files.writeString(
        tokenizer.resolve("t.jinja"), "{{ messages[0]['content'] }}|{{ messages[1]['content'] }}");
    Files.writeString(file, "system = a ${HOME} $$b $c\n");
    assertThat(
            run(Map.of(), "template", "--file", tokenizer.resolve("t.jinja").toString(), "x")
                .quiet()
                .out())
        .isEqualTo("a ${HOME} $$b $c|x");
  }

  @Test
  void aFileThatCannotBeReadIsToldAndLeftAlone() throws IOException, InterruptedException {
    Files.write(file, new byte[] {'t', (byte) 0xff});
    String complaint =
        "qnext: cannot read %s: it is not UTF-8; convert it, for instance with iconv\n"
            .formatted(file);
    assertThat(run(Map.of(), "inspect", "-m", TINY).done().err()).isEqualTo(complaint);
    Outcome outcome = run(Map.of(), "use", TINY);
    assertThat(outcome.exit()).isEqualTo(1);
    assertThat(outcome.err()).isEqualTo(complaint + complaint);
    assertThat(file).hasBinaryContent(new byte[] {'t', (byte) 0xff});
    Files.delete(file);
    Files.createDirectory(file);
    assertThat(run(Map.of(), "inspect", "-m", TINY).done().err())
        .startsWith("qnext: cannot read " + file);
  }

  @Test
  void useRemembersAndForgets() throws IOException, InterruptedException {
    Files.writeString(file, "# mine\ntemp = 0\n");
    TextFolder.make(home.resolve("models/org/Tiny"));
    run(Map.of(), "use", "tiny").quiet().printing("from now on org/Tiny, in %s\n".formatted(file));
    assertThat(file).hasContent("# mine\ntemp = 0\nmodel = org/Tiny\n");
    assertThat(run(Map.of(), "list").quiet().out())
        .isEqualTo(
            """
              NAME      FORMAT     SIZE  FOLDER
            * org/Tiny  bf16       3 MB  ~/models/org/Tiny
            """);
    assertThat(run(Map.of("QNEXT_MODEL", "/x"), "use", TINY).done().err())
        .isEqualTo("qnext: QNEXT_MODEL=/x is set and comes before it\n");
    assertThat(file).hasContent("# mine\ntemp = 0\nmodel = " + TINY + "\n");
    run(Map.of(), "use", "--none").quiet().printing("no longer %s, in %s\n".formatted(TINY, file));
    assertThat(file).hasContent("# mine\ntemp = 0\n");
    run(Map.of(), "use", "--none").done().saying("qnext: no model is remembered\n");
    run(Map.of(), "use").failed(1, "no model is chosen; 'qnext use MODEL' remembers one");
    run(Map.of(), "use", "--none", "x").failed(2, "--none and a model exclude each other");
  }

  @Test
  void useTakesOnlyWhatRuns() throws IOException, InterruptedException {
    run(Map.of(), "use", home.resolve("none").toString())
        .failed(1, "there is no model folder " + home.resolve("none"));
    Path folder = Files.createDirectories(home.resolve("models/llama"));
    Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"llama\"}");
    run(Map.of(), "use", "llama")
        .failed(
            1, folder + " is of the type \"llama\", which is not supported; supported: qwen3_next");
    assertThat(file).doesNotExist();
    assertThat(run(Map.of(), "list").quiet().out()).hasLineCount(1);
  }

  @Test
  void withoutAPlaceForSettings() throws IOException, InterruptedException {
    Map<String, String> nowhere = Map.of("HOME", "", "XDG_CONFIG_HOME", "");
    CliProcess.run(nowhere, List.of(), "use", TINY)
        .failed(1, "there is no place for settings; set HOME or XDG_CONFIG_HOME");
    CliProcess.run(nowhere, List.of(), "inspect", "-m", TINY).quiet();
  }
}
