package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.CliRun.runWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.fixtures.TextFolder;
import dev.qnext.text.ChatTemplate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemplateCommandTest {
  @TempDir private Path temp;

  @Test
  void thePromptThatAChatBecomes() throws IOException {
    String model = TextFolder.make(temp.resolve("talking")).toString();
    String prompt =
        """
        <|im_start|>system
        Be brief.<|im_end|>
        <|im_start|>user
        Hello<|im_end|>
        <|im_start|>assistant
        """;
    run("template", "-m", model, "-s", "Be brief.", "Hello").quiet().printing(prompt);
    Path system = Files.writeString(temp.resolve("system.txt"), "Be brief.");
    run("template", "-m", model, "-s", "@" + system, "Hello").quiet().printing(prompt);
    runWith("Hello\n", "template", "-m", model, "-s", "Be brief.").quiet().printing(prompt);
    Path binary = Files.write(temp.resolve("binary"), new byte[] {(byte) 0xC3, 'x'});
    run("template", "-m", model, "-s", "@" + binary, "Hello")
        .failed(
            1,
            "cannot read %s: it is not UTF-8; convert it, for instance with iconv"
                .formatted(binary));
    run("template", "-m", model, "-s", "@" + temp, "Hello")
        .failed(1, "cannot read %s: Is a directory".formatted(temp));
    run("template", "-m", model, "-s", "@" + temp.resolve("missing"), "Hello")
        .failed(1, "cannot read %s: there is no such file".formatted(temp.resolve("missing")));
  }

  @Test
  void linesOfVariables() throws IOException {
    Path file = Files.writeString(temp.resolve("t.jinja"), "{{ greeting }}, {{ name }}!");
    List<String> lines =
        runWith(
                "{\"greeting\": \"Hello\", \"name\": \"you\"}\n[1]\n",
                "template",
                "--file",
                file.toString(),
                "--jsonl")
            .quiet()
            .out()
            .lines()
            .toList();
    assertThat(lines).hasSize(2);
    assertThat(lines.get(1))
        .isEqualTo("{\"error\":\"a line must hold an object of variables, not [1]\"}");
    assumeTrue(
        ChatTemplate.parse("x", "x").render(Map.of()).equals("x"),
        "the template engine is a stand-in");
    assertThat(lines.get(0)).isEqualTo("{\"prompt\":\"Hello, you!\"}");
  }
}
