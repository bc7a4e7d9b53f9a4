package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.CliRun.runWith;
import static dev.qnext.cli.GoldenPrompts.folder;
import static dev.qnext.cli.GoldenPrompts.ids;
import static dev.qnext.cli.GoldenPrompts.value;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.TextFolder;
import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class CompleteCommandTest {
  private static final String[] CHECKPOINTS = GoldenPrompts.CHECKPOINTS;

  @TempDir private static Path temp;

  private static String talking;

  @BeforeAll
  static void make() {
    talking = TextFolder.make(temp.resolve("talking")).toString();
  }

  /** Words that every greedy run has. */
  private static String[] greedy(String model, String maxTokens, String... more) {
    List<String> args =
        new ArrayList<>(List.of("complete", "--backend", "reference", "-m", model, "--temp", "0"));
    args.addAll(List.of("--max-tokens", maxTokens, "--no-stats"));
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  @ParameterizedTest
  @FieldSource("CHECKPOINTS")
  void goldenGreedyTokens(String checkpoint) {
    String prompt = ids(",", value(checkpoint, "greedy", "prompt"));
    String tokens = ids(" ", value(checkpoint, "greedy", "tokens")) + "\n";
    run(greedy(folder(checkpoint), "48", "--ignore-eos", "--ids", prompt)).quiet().printing(tokens);
    run(greedy(folder(checkpoint), "48", "--ignore-eos", "--print-ids", "--ids", prompt))
        .quiet()
        .printing(tokens);
  }

  @Test
  void allFormsOfIds() {
    String model = folder("tiny/hf");
    String expected = run(greedy(model, "5", "--ids", "11,12,13")).quiet().out();
    assertThat(expected).matches("\\d+( \\d+){4}\n");
    run(greedy(model, "5", "--ids", "11", "12", "13")).quiet().printing(expected);
    run(greedy(model, "5", "--ids", "[11, 12, 13]")).quiet().printing(expected);
    run(greedy(model, "5", "--ids", "11 12,13")).quiet().printing(expected);
    run(greedy(model, "5", "--ids=11,12,13")).quiet().printing(expected);
    runWith("11 12\n13\n", greedy(model, "5", "--ids", "-")).quiet().printing(expected);
    runWith("[11,\n 12, 13]", greedy(model, "5", "--ids")).quiet().printing(expected);
    runWith("11,12,13", greedy(model, "5", "--ids", "--print-ids")).quiet().printing(expected);
  }

  @Test
  void idsThatAreNone() {
    String model = folder("tiny/hf");
    run(greedy(model, "5", "--ids", "11,x"))
        .failed(2, "\"x\" is not a token id; give whole numbers, such as 12,7,99");
    run(greedy(model, "5", "--ids", "1.5"))
        .failed(2, "\"1.5\" is not a token id; give whole numbers, such as 12,7,99");
    runWith("9999999999", greedy(model, "5", "--ids"))
        .failed(2, "\"9999999999\" is not a token id; give whole numbers, such as 12,7,99");
    run(greedy(model, "5", "--ids", "512"))
        .failed(1, "token id 512 is outside the model's vocabulary of 512");
    run(greedy(model, "5", "--ids", "-5"))
        .failed(1, "token id -5 is outside the model's vocabulary of 512");
    run(greedy(model, "5", "--ids")).failed(1, "the prompt is empty");
    runWith(" , []\n", greedy(model, "5", "--ids", "-")).failed(1, "the prompt is empty");
  }

  @Test
  void aPromptThatDoesNotFit() {
    String prompt = "1 ".repeat(256);
    runWith(prompt, greedy(folder("yarn/hf"), "5", "--ids"))
        .failed(
            1,
            "the prompt has 256 tokens, but the context holds 256 including the answer; shorten the prompt or start a new conversation");
  }

  @Test
  void statisticsGoToStandardError() {
    Outcome outcome =
        run(
            "complete",
            "-m",
            folder("tiny/hf"),
            "--ids",
            "1,2",
            "--temp",
            "0",
            "--max-tokens",
            "3");
    assertThat(outcome.done().out()).matches("\\d+ \\d+ \\d+\n");
    assertThat(outcome.err())
        .matches(
            "\\[ prompt 2 tokens, [0-9.]+ tok/s \\| generation 3 tokens, [0-9.]+ tok/s"
                + "( \\| peak memory [0-9.]+ GB)? \\| stopped by --max-tokens ]\n");
  }

  @Test
  void jsonIsOneObject() {
    String[] args = greedy(folder("tiny/hf"), "3", "--json", "--ids", "11,12", "--seed", "9");
    Map<?, ?> object = (Map<?, ?>) Json.parse(run(args).quiet().out(), "output");
    assertThat(object.get("text")).isNull();
    assertThat((List<?>) object.get("ids")).hasSize(3);
    assertThat(object.get("end")).isEqualTo("max_tokens");
    assertThat(object.get("prompt_tokens")).isEqualTo(2L);
    assertThat(object.get("reused_tokens")).isEqualTo(0L);
    assertThat(object.get("generated_tokens")).isEqualTo(3L);
    assertThat(object.get("seed")).isEqualTo(9L);

    Outcome text = run(greedy(talking, "3", "--json", "--logit-bias", "72=1000", "Say \"\n"));
    Map<?, ?> said = (Map<?, ?>) Json.parse(text.quiet().out(), "output");
    assertThat(said.get("text")).isEqualTo("HHH");
    assertThat(said.get("ids")).isEqualTo(List.of(72L, 72L, 72L));
  }

  @Test
  void aSeedReproduces() {
    String[] warm = {
      "complete",
      "-m",
      folder("tiny/hf"),
      "--ids",
      "5",
      "--temp",
      "1",
      "--top-k",
      "0",
      "--top-p",
      "1",
      "--max-tokens",
      "30",
      "--no-stats",
      "--seed",
      "4"
    };
    String first = run(warm).quiet().out();
    assertThat(run(warm).quiet().out()).isEqualTo(first);
    warm[warm.length - 1] = "5";
    assertThat(run(warm).quiet().out()).isNotEqualTo(first);
  }

  @Test
  void withoutSeedOneIsDrawnAndTold() {
    String[] args = {"complete", "-m", folder("tiny/hf"), "--ids", "5", "--max-tokens", "8"};
    Outcome one = run(args).done();
    Outcome two = run(args).done();
    assertThat(one.err()).containsPattern("\\| seed \\d+ \\|");
    String seed = one.err().replaceAll("(?s).*seed (\\d+).*", "$1");
    assertThat(two.err()).doesNotContain("seed " + seed + " ");
    List<String> again = new ArrayList<>(List.of(args));
    again.addAll(List.of("--seed", seed));
    assertThat(run(again.toArray(String[]::new)).done().out()).isEqualTo(one.out());
  }

  /** Of text: 72 is H, 73 is I, 511 ends a turn. */
  @Test
  void textInTextOut() {
    run(greedy(talking, "4", "--logit-bias", "72=1000", "Say it")).quiet().printing("HHHH\n");
    run(greedy(talking, "4", "--logit-bias", "72=1000", "--print-ids", "Say it"))
        .quiet()
        .printing("72 72 72 72\n");
    run(greedy(talking, "4", "--logit-bias", "72=1000", "--ids", "5,6")).printing("HHHH\n");
    run(greedy(talking, "3", "--logit-bias", "10=1000", "Say it")).quiet().printing("\n\n\n");
    run(greedy(talking, "0", "Say it")).quiet().printing("");
  }

  @Test
  void endOfSequenceEndsUnlessIgnored() {
    run(greedy(talking, "4", "--logit-bias", "511=1000", "Say it")).quiet().printing("");
    run(greedy(talking, "4", "--logit-bias", "511=1000", "--ignore-eos", "--print-ids", "Say it"))
        .quiet()
        .printing("511 511 511 511\n");
  }

  @Test
  void stopStringsEndTheText() {
    String[] letters = {"--logit-bias", "72=1000", "--logit-bias", "73=999"};
    List<String> args = new ArrayList<>(List.of(greedy(talking, "40", letters)));
    args.addAll(List.of("--presence-penalty", "500", "--json", "Say it"));
    String text =
        (String)
            ((Map<?, ?>) Json.parse(run(args.toArray(String[]::new)).quiet().out(), "output"))
                .get("text");
    assertThat(text).startsWith("HI");
    args.addAll(List.of("--stop", "I", "--stop", "IH"));
    Map<?, ?> stopped =
        (Map<?, ?>) Json.parse(run(args.toArray(String[]::new)).quiet().out(), "output");
    assertThat(stopped.get("text")).isEqualTo("H");
    assertThat(stopped.get("end")).isEqualTo("stopped");
  }

  @Test
  void textOfALengthThatEndsInsideACharacter() {
    // 0xF0, the first of four bytes.
    run(greedy(talking, "1", "--logit-bias", "240=1000", "Say it")).quiet().printing("\ufffd\n");
  }

  @Test
  void promptsFromEverywhere() throws IOException {
    String[] dash = greedy(talking, "6", "--print-ids", "-");
    String both = "The wind\n\nand the sea";
    String expected = run(greedy(talking, "6", "--print-ids", both)).quiet().out();
    runWith("The wind\n", greedy(talking, "6", "--print-ids", "and the sea"))
        .quiet()
        .printing(expected);
    runWith("The wind\n\n \n", greedy(talking, "6", "--print-ids", "and the sea"))
        .quiet()
        .printing(expected);
    runWith(both, dash).quiet().printing(expected);
    runWith(both + "\n", greedy(talking, "6", "--print-ids")).quiet().printing(expected);
    runWith(both + "\r\n", dash).quiet().printing(expected);
    runWith(" \n\n", greedy(talking, "6", "--print-ids", both)).quiet().printing(expected);
    // As it is: an @ or a leading dash behind -- are text.
    Path file = Files.writeString(temp.resolve("words"), "other words here");
    run(greedy(talking, "1", "--logit-bias", "72=1000", "@" + file)).quiet().printing("H\n");
    run(greedy(talking, "1", "--logit-bias", "72=1000", "--", "-x")).quiet().printing("H\n");
  }

  @Test
  void noPrompt() {
    String sentence = "there is no text to continue; give it as an argument or on standard input";
    run(greedy(talking, "6")).failed(2, sentence);
    runWith("\n", greedy(talking, "6", "-")).failed(2, sentence);
    run(greedy(talking, "6", "")).failed(2, sentence);
  }

  @Test
  void binaryInputIsReadAsText() {
    byte[] binary = new byte[100];
    new java.util.Random(1).nextBytes(binary);
    Outcome outcome = runWith(binary, greedy(talking, "1", "--logit-bias", "72=1000"));
    outcome.done().printing("H\n");
    assertThat(outcome.err())
        .matches(
            "qnext: standard input is not valid UTF-8 in \\d+ places, replaced by U.FFFD; convert it with iconv\n");
  }
}
