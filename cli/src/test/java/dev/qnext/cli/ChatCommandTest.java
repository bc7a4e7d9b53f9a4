package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.CliRun.runWith;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import dev.qnext.json.Json;
import dev.qnext.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One question, one answer. The biases make the model say H (72). */
class ChatCommandTest {
  @TempDir private static Path temp;

  private static String talking;

  @BeforeAll
  static void make() {
    talking = TextFolder.make(temp.resolve("talking")).toString();
  }

  private static String[] chat(String... more) {
    List<String> args = new ArrayList<>(List.of("chat", "-m", talking, "--max-tokens", "3"));
    args.addAll(List.of("--temp", "0", "--no-stats"));
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  @Test
  void anAnswerAndALineEnd() {
    run(chat("--logit-bias", "72=1000", "Hello")).quiet().printing("HHH\n");
    runWith("Hello\n", chat("--logit-bias", "72=1000")).quiet().printing("HHH\n");
    runWith("Hello", chat("--logit-bias", "72=1000", "-")).quiet().printing("HHH\n");
    run(chat("--logit-bias", "511=1000", "Hello")).quiet().printing("");
  }

  @Test
  void theModelReadsWhatTheTemplateCommandPrints() throws IOException {
    Path system = Files.writeString(temp.resolve("system.txt"), "Be brief.\n");
    String[] words = {"-s", "@" + system, "Is it far?"};
    String prompt =
        runWith("The island.", "template", "-m", talking, words[0], words[1], words[2]).out();
    assertThat(prompt).contains("Be brief.").contains("The island.\n\nIs it far?<|im_end|>");
    Outcome outcome = runWith("The island.\n", chat("--json", words[0], words[1], words[2]));
    Map<?, ?> object = (Map<?, ?>) Json.parse(outcome.quiet().out(), "output");
    int[] ids = Tokenizer.load(Path.of(talking)).encode(prompt);
    assertThat(object.get("prompt_tokens")).isEqualTo((long) ids.length);
    StringBuilder list = new StringBuilder();
    for (int id : ids) {
      list.append(id).append(' ');
    }
    runWith(
            list.toString(),
            "complete",
            "-m",
            talking,
            "--print-ids",
            "--temp",
            "0",
            "--max-tokens",
            "3",
            "--no-stats",
            "--ids")
        .quiet()
        .printing(GoldenPrompts.ids(" ", object.get("ids")) + "\n");
  }

  @Test
  void jsonIsOneObject() {
    Outcome outcome = run(chat("--json", "--logit-bias", "72=1000", "Hello")).quiet();
    Map<?, ?> object = (Map<?, ?>) Json.parse(outcome.out(), "output");
    assertThat(object.get("text")).isEqualTo("HHH");
    assertThat(object.get("end")).isEqualTo("max_tokens");
    assertThat(object.get("generated_tokens")).isEqualTo(3L);
  }

  @Test
  void noPrompt() {
    String sentence = "there is no prompt; give it as an argument or on standard input";
    run(chat()).failed(2, sentence);
    run(chat("-")).failed(2, sentence);
    run(chat(" ")).failed(2, sentence);
    runWith(" \n\n", chat()).failed(2, sentence);
  }

  @Test
  void aPromptThatDoesNotFit() {
    Outcome outcome = runWith("x".repeat(5000), chat());
    assertThat(outcome.exit()).isEqualTo(1);
    assertThat(outcome.err())
        .matches(
            "qnext: the prompt has 5,0\\d\\d tokens, but the context holds 4,096 including the answer; .*\n");
    assertThat(outcome.out()).isEmpty();
  }
}
