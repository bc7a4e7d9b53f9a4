package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.Engine;
import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Folders that will not do: exit code 1 and one sentence that names what is wrong. */
class ModelChoiceTest {
  @TempDir private static Path temp;

  private static Path talking;

  @BeforeAll
  static void make() {
    talking = TextFolder.make(temp.resolve("talking"));
  }

  @Test
  void aFolderThatIsNotThere() {
    String missing = temp.resolve("missing").toString();
    for (String command : new String[] {"chat", "complete", "score", "tokens", "inspect"}) {
      String[] args =
          command.equals("inspect")
              ? new String[] {command, "-m", missing}
              : new String[] {command, "-m", missing, "text"};
      run(args).failed(1, "there is no model folder " + missing);
    }
  }

  @Test
  void noModelAtAll() {
    assumeTrue(System.getenv("QNEXT_MODEL") == null, "QNEXT_MODEL is set");
    assumeTrue(!Files.exists(Path.of("models/demo")), "there is a demonstration");
    run("chat", "hello").failed(1, "no model was chosen; --model DIR names one");
  }

  @Test
  void aFolderWithoutTokenizer() {
    String folder = GoldenPrompts.folder("tiny/hf");
    String sentence =
        folder + "/tokenizer.json does not exist; give a model folder that holds a tokenizer.json";
    for (String command : new String[] {"chat", "complete", "score", "tokens"}) {
      run(command, "-m", folder, "text").failed(1, sentence);
    }
    run("complete", "-m", folder, "--ids", "1", "--stop", "x").failed(1, sentence);
  }

  @Test
  void aFolderThatIsNoModel() throws IOException {
    Path folder = Files.createDirectory(temp.resolve("empty"));
    run("complete", "-m", folder.toString(), "--ids", "1")
        .failed(
            1,
            folder
                + " is no model folder: it has no config.json; give another, or download the model again");
    Path file = Files.writeString(temp.resolve("file"), "x");
    run("complete", "-m", file.toString(), "--ids", "1")
        .failed(1, "there is no model folder %s; give the folder of a model".formatted(file));
  }

  @Test
  void aBackendThatIsNotThere() {
    run("complete", "-m", talking.toString(), "--backend", "abacus", "text")
        .failed(
            1,
            "there is no backend \"abacus\"; valid backends are: auto, %s"
                .formatted(String.join(", ", Engine.backends())));
  }

  @Test
  void aGenerationConfigThatMeansNothing() throws IOException {
    Path folder = TextFolder.make(temp.resolve("wrong"));
    Path file = folder.resolve("generation_config.json");
    Files.writeString(file, Files.readString(file).replace("\"top_p\": 0.8", "\"top_p\": 8"));
    run("complete", "-m", folder.toString(), "text")
        .failed(1, file + ": top-p is 8.0 but must be above 0 and at most 1");
    run("complete", "-m", folder.toString(), "--top-p", "1", "--max-tokens", "1", "text").done();
  }

  @Test
  void debugShowsWhere() {
    Outcome outcome = run("complete", "-m", temp.resolve("missing").toString(), "--debug", "x");
    assertThat(outcome.exit()).isEqualTo(1);
    assertThat(outcome.err())
        .startsWith("dev.qnext.QnextException: there is no model folder")
        .contains("\tat dev.qnext.cli.ModelOptions.path(");
  }
}
