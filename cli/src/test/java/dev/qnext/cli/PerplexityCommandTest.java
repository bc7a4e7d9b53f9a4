package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.CliRun.runWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

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

class PerplexityCommandTest {
  /** 40 tokens: no merge of the folder's tokenizer fits. */
  private static final String TEXT = "ABCDEFGHIJ".repeat(4);

  @TempDir private static Path temp;

  private static String model;
  private static String quantized;
  private static String text;

  @BeforeAll
  static void make() throws IOException {
    model = TextFolder.make(temp.resolve("model")).toString();
    quantized = temp.resolve("quantized").toString();
    run("quantize", model, quantized, "-r", "6bit").done();
    text = Files.writeString(temp.resolve("text.txt"), TEXT).toString();
  }

  private static Map<?, ?> measured(String folder, String... more) {
    List<String> args =
        new ArrayList<>(List.of("perplexity", "--backend", "reference", "-m", folder, "--json"));
    args.addAll(List.of("--text", text, "--context", "16"));
    args.addAll(List.of(more));
    String out = run(args.toArray(String[]::new)).quiet().out();
    return (Map<?, ?>) java.util.Objects.requireNonNull(Json.parse(out, "output"));
  }

  private static double number(Map<?, ?> object, String key) {
    return ((Number) java.util.Objects.requireNonNull(object.get(key))).doubleValue();
  }

  /** What `score` says of each window alone. */
  @Test
  void windowsAreScoredOneByOne() {
    List<Double> losses = new ArrayList<>();
    for (int from = 0; from < 40; from += 16) {
      String window = TEXT.substring(from, Math.min(40, from + 16));
      String out =
          run("score", "--backend", "reference", "-m", model, "--json", window).quiet().out();
      Map<?, ?> score = (Map<?, ?>) java.util.Objects.requireNonNull(Json.parse(out, "output"));
      for (Object log :
          (List<?>) java.util.Objects.requireNonNull(score.get("log_probabilities"))) {
        losses.add(-((Number) log).doubleValue());
      }
    }
    double mean = losses.stream().mapToDouble(x -> x).average().orElseThrow();
    double squares = losses.stream().mapToDouble(x -> (x - mean) * (x - mean)).sum();
    Map<?, ?> object = measured(model);
    assertThat(number(object, "tokens")).isEqualTo(37);
    assertThat(number(object, "mean")).isCloseTo(mean, within(1e-9));
    assertThat(number(object, "perplexity")).isCloseTo(Math.exp(mean), within(1e-6));
    assertThat(number(object, "standard_error"))
        .isCloseTo(Math.sqrt(squares / 36 / 37), within(1e-9));
    assertThat(number(measured(model, "--tokens", "17"), "tokens")).isEqualTo(15);
  }

  @Test
  void againstItselfNothingIsLost() {
    Map<?, ?> object = measured(model, "--against", model);
    assertThat(number(object, "kl_mean")).isCloseTo(0, within(1e-12));
    assertThat(number(object, "top_agreement")).isEqualTo(1);
    assertThat(number(object, "base_mean")).isEqualTo(number(object, "mean"));
  }

  @Test
  void againstAFolderOrItsLogits() {
    Map<?, ?> folder = measured(quantized, "--against", model);
    assertThat(number(folder, "kl_mean")).isBetween(1e-6, 3.0);
    assertThat(number(folder, "kl_99")).isGreaterThanOrEqualTo(number(folder, "kl_median"));
    String logits = temp.resolve("base.safetensors").toString();
    Map<?, ?> base = measured(model, "--save-logits", logits);
    Map<?, ?> file = measured(quantized, "--against", logits);
    for (String key : List.of("kl_mean", "kl_median", "kl_99", "top_agreement", "mean")) {
      assertThat(file.get(key)).isEqualTo(folder.get(key));
    }
    assertThat(number(base, "mean")).isEqualTo(number(folder, "base_mean"));
  }

  @Test
  void lines() {
    Outcome outcome =
        runWith(TEXT, "perplexity", "--backend", "reference", "-m", quantized, "--against", model);
    assertThat(outcome.quiet().out())
        .matches(
            "perplexity     \\S+ \\+- \\S+ \\(\\S+ nats a token, 39 tokens\\)\n"
                + "of the base    \\S+ \\+- \\S+ \\(\\S+ nats a token, 39 tokens\\)\n"
                + "KL divergence  mean \\S+, median \\S+, 99 % below \\S+ nats\n"
                + "same top token  \\S+ %\n");
  }

  @Test
  void mistakes() {
    runWith("", "perplexity", "-m", model)
        .failed(1, "the text has 0 tokens; at least 2 are needed");
    run("perplexity", "-m", model, "--context", "1")
        .failed(2, "--context is 1 but must be at least 2");
    String logits = temp.resolve("other.safetensors").toString();
    measured(model, "--save-logits", logits);
    runWith("ABC", "perplexity", "-m", model, "--against", logits)
        .failed(
            1,
            logits
                + " holds no logits of this text in windows of 512; make it with --save-logits and the same text");
  }
}
