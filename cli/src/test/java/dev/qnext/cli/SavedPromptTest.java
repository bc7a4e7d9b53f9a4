package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SavedPromptTest {
  private static final Path FILE = Path.of("p.md");

  private static SavedPrompt parse(String source) {
    return SavedPrompt.parse(source, FILE);
  }

  @Test
  void parametersAndDefaults() {
    SavedPrompt prompt =
        parse(
            "---\nanimal: pelican\n\nsystem: Be brief.\\nBe kind.\n---\nDraw a {{animal}} on {{ vehicle }}.\n");
    assertThat(prompt.system()).isEqualTo("Be brief.\nBe kind.");
    assertThat(prompt.fill(Map.of("vehicle", "a bicycle"), ""))
        .isEqualTo("Draw a pelican on a bicycle.");
    assertThat(prompt.fill(Map.of("vehicle", "a bus", "animal", "cat"), ""))
        .isEqualTo("Draw a cat on a bus.");
    assertThatThrownBy(() -> prompt.fill(Map.of(), ""))
        .isInstanceOf(UsageException.class)
        .hasMessage("the saved prompt needs a value: -p vehicle VALUE");
  }

  @Test
  void inputStandsWhereItIsNamedElseBefore() {
    assertThat(parse("Summarize.").fill(Map.of(), "Notes.\n")).isEqualTo("Notes.\n\nSummarize.");
    assertThat(parse("Summarize: {{input}}!").fill(Map.of(), "Notes."))
        .isEqualTo("Summarize: Notes.!");
    assertThat(parse("Summarize: {{input}}!").fill(Map.of(), "")).isEqualTo("Summarize: !");
  }

  @Test
  void otherBracesAreText() {
    for (String text : new String[] {"{{", "{{}}", "a {{ b c }} d", "{x}", "}}", "{{{{", "{{a"}) {
      assertThat(parse(text).fill(Map.of("a", "1"), "")).isEqualTo(text);
    }
  }

  /** What stands in a value is not looked at again. */
  @Test
  void valuesAreTakenAsTheyAre() {
    assertThat(parse("{{a}}").fill(Map.of("a", "{{a}} {{b}}"), "")).isEqualTo("{{a}} {{b}}");
  }

  @Test
  void badDefaults() {
    assertThatThrownBy(() -> parse("---\nanimal\n---\nx"))
        .isInstanceOf(QnextException.class)
        .hasMessage("p.md, line 2: \"animal\" is not \"name: value\"");
    assertThatThrownBy(() -> parse("---\nanimal: cat\n"))
        .hasMessage("p.md: the \"---\" behind its defaults is missing");
  }

  @Test
  void savedAndUsedAgain() throws java.io.IOException {
    Outcome saved =
        run("chat", "--save", "greet", "-s", "Be\nbrief.", "-p", "name", "Anna", "Greet {{name}}.")
            .done();
    Path file = Path.of(saved.err().replace("qnext: saved as ", "").strip());
    assertThat(Files.readString(file))
        .isEqualTo("---\nname: Anna\nsystem: Be\\nbrief.\n---\nGreet {{name}}.\n");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    SavedPrompt prompt = SavedPrompt.load("greet");
    assertThat(prompt.system()).isEqualTo("Be\nbrief.");
    assertThat(prompt.fill(Map.of(), "")).isEqualTo("Greet Anna.");
    assertThat(SavedPrompt.names()).contains("greet");
  }

  @Test
  void namesThatAreNone() {
    assertThatThrownBy(() -> SavedPrompt.load("nobody"))
        .isInstanceOf(QnextException.class)
        .hasMessageStartingWith("there is no saved prompt \"nobody\"; there are: ");
    for (String name : new String[] {"", "../x", ".x", "a/b", "a\\b"}) {
      assertThatThrownBy(() -> SavedPrompt.load(name)).isInstanceOf(UsageException.class);
    }
    run("chat", "--save", "x").failed(2, "--save needs a prompt or --system");
  }
}
