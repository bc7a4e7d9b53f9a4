package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Wrong usage: exit code 2, a sentence, and where help is. No model is opened for it. */
class UsageTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | no command given; 'qnext chat' starts a conversation",
        "talk | there is no command talk",
        "--frobnicate | there is no option --frobnicate",
        "complete --frobnicate | there is no option --frobnicate",
        "chat one two | \"two\" is one argument too many; quote words that belong together",
        "complete --temp | Missing required parameter for option '--temp' (T)",
        "complete --temp warm | Invalid value for option '--temp': 'warm' is not a float",
        "complete --max-tokens 1.5 | Invalid value for option '--max-tokens': '1.5' is not an int",
        "complete --seed x | Invalid value for option '--seed': 'x' is not a long",
        "chat --temp -0.5 x | temperature is -0.5 but must be at least 0",
        "chat --temp NaN x | temperature is NaN but must be at least 0",
        "chat --top-p 0 x | top-p is 0.0 but must be above 0 and at most 1",
        "chat --top-p 1.01 x | top-p is 1.01 but must be above 0 and at most 1",
        "chat --min-p 2 x | min-p is 2.0 but must be between 0 and 1",
        "chat --top-k -1 x | top-k is -1 but must be at least 0",
        "complete --max-tokens -1 x | max tokens is -1 but must be at least 0",
        "complete --repetition-penalty 0 x | repetition penalty is 0.0 but must be above 0",
        "complete --presence-penalty NaN x | presence and frequency penalties must be finite",
        "complete --logit-bias 5 x | Value for option option '--logit-bias' (ID=X) should be in KEY=VALUE format but was 5",
        "use --none x | --none and a model exclude each other",
        "completion | Missing required parameter: 'SHELL'",
        "bench --depth -1 | --depth cannot be -1",
        "bench --prompt 128,0 | --prompt cannot be 0",
        "bench --tokens 0 | --tokens cannot be 0",
        "bench --repeat 0 | --repeat cannot be 0",
        "bench --depth 1,x | Invalid value for option '--depth' (N): 'x' is not an int",
        "bench --experts 64 | --experts, --layers and --recipe need --synthetic",
        "bench --model x --synthetic qwen3-next-80b | --model and --synthetic exclude each other",
        "complete --logit-bias 5=NaN x | the logit bias of token 5 is NaN but must be finite, or -Infinity",
      })
  void wrongUsage(String words, String sentence) {
    Outcome outcome = run(words.isEmpty() ? new String[0] : words.split(" ", -1));
    assertThat(outcome.err()).startsWith("qnext: " + sentence + "\n");
    assertThat(outcome.err()).containsPattern("Try 'qnext[a-z ]* --help'.\n$");
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.exit()).isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "chat",
        "complete",
        "score",
        "tokens",
        "template",
        "bench",
        "inspect",
        "doctor",
        "use",
        "list",
        "completion",
        "man"
      })
  void helpIsAnAnswer(String command) {
    Outcome outcome = run((command + " --help").strip().split(" ", -1)).quiet();
    assertThat(outcome.out()).startsWith("Usage: qnext " + command).doesNotContain("\u001b");
    if (!command.isEmpty()) {
      assertThat(run("help", command).quiet().out()).isEqualTo(outcome.out());
    }
  }

  @Test
  void versionIsAnAnswer() {
    String version = run("--version").quiet().out();
    assertThat(version).matches("qnext \\d+\\.\\d+\\.\\d+\n");
    assertThat(run("-V").quiet().out()).isEqualTo(version);
    assertThat(run("--debug", "--version").quiet().out()).isEqualTo(version);
    assertThat(run("chat", "--version").quiet().exit()).isZero();
  }
}
