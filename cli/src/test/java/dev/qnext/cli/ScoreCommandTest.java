package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.CliRun.runWith;
import static dev.qnext.cli.GoldenPrompts.expected;
import static dev.qnext.cli.GoldenPrompts.folder;
import static dev.qnext.cli.GoldenPrompts.ids;
import static dev.qnext.cli.GoldenPrompts.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.qnext.checkpoint.Safetensors;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.fixtures.TextFolder;
import dev.qnext.json.Json;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class ScoreCommandTest {
  private static final String[] CHECKPOINTS = GoldenPrompts.CHECKPOINTS;
  private static final float TOLERANCE = 1e-3f;

  @TempDir private Path temp;

  @ParameterizedTest
  @FieldSource("CHECKPOINTS")
  void goldenLogits(String checkpoint) {
    for (String prompt : new String[] {"len1", "len7", "len65"}) {
      Object tokens = value(checkpoint, "prompts", prompt, "tokens");
      Path file = temp.resolve(prompt + ".safetensors");
      String[] args = {
        "score",
        "--backend",
        "reference",
        "-m",
        folder(checkpoint),
        "--ids",
        ids(",", tokens),
        "--logits",
        file.toString()
      };
      Outcome outcome = run(args).done();
      try (Arena arena = Arena.ofConfined()) {
        StoredTensor written = Safetensors.open(file, arena).tensors().get("logits");
        StoredTensor golden =
            Safetensors.open(expected(checkpoint, ".safetensors"), arena)
                .tensors()
                .get(prompt + ".logits");
        int vocabulary = (int) golden.shape()[1];
        int count = ((List<?>) tokens).size();
        assertThat(written.shape()).containsExactly(count, vocabulary);
        long first = (Long) value(checkpoint, "prompts", prompt, "first_position");
        float[] last = written.floats();
        last = Arrays.copyOfRange(last, (int) first * vocabulary, last.length);
        assertThat(last).containsExactly(golden.floats(), within(TOLERANCE));
        assertScores(outcome.out(), (List<?>) tokens, written.floats(), vocabulary);
      }
    }
  }

  /** A line for every token: position, id, log-probability. */
  private static void assertScores(String out, List<?> tokens, float[] logits, int vocabulary) {
    String[] lines = out.split("\n", -1);
    assertThat(lines).hasSize(tokens.size() + 1);
    assertThat(lines[0]).isEqualTo("0\t%s\t-".formatted(tokens.get(0)));
    for (int t = 1; t < tokens.size(); t++) {
      double sum = 0;
      for (int id = 0; id < vocabulary; id++) {
        sum += Math.exp(logits[(t - 1) * vocabulary + id]);
      }
      int id = (int) (long) (Long) tokens.get(t);
      double score = logits[(t - 1) * vocabulary + id] - Math.log(sum);
      String[] columns = lines[t].split("\t", -1);
      assertThat(columns).hasSize(3).startsWith(String.valueOf(t), String.valueOf(id));
      assertThat(Double.parseDouble(columns[2])).isCloseTo(score, within(1e-4));
    }
  }

  @Test
  void summaryGoesToStandardError() {
    Outcome outcome = run("score", "-m", folder("tiny/hf"), "--ids", "1,2,3").done();
    assertThat(outcome.err())
        .matches(
            "\\[ 3 tokens \\| log-probability -[0-9.]+, mean -[0-9.]+ \\| perplexity [0-9.]+ ]\n");
  }

  @Test
  void jsonIsOneObject() {
    Outcome outcome = run("score", "-m", folder("tiny/hf"), "--ids", "1,2,3", "--json").quiet();
    Map<?, ?> object = (Map<?, ?>) Json.parse(outcome.out(), "output");
    assertThat(object.get("ids")).isEqualTo(List.of(1L, 2L, 3L));
    List<?> scores = (List<?>) object.get("log_probabilities");
    assertThat(scores).hasSize(2);
    double sum = (Double) scores.get(0) + (Double) scores.get(1);
    assertThat((Double) object.get("sum")).isCloseTo(sum, within(1e-9));
    assertThat((Double) object.get("mean")).isCloseTo(sum / 2, within(1e-9));
    assertThat((Double) object.get("perplexity")).isCloseTo(Math.exp(-sum / 2), within(1e-6));
  }

  @Test
  void textIsScoredTokenByToken() {
    String talking = TextFolder.make(temp.resolve("talking")).toString();
    Outcome outcome = runWith("The\n", "score", "-m", talking).done();
    List<String> pieces = outcome.out().lines().map(l -> l.split("\t", -1)[3]).toList();
    assertThat(pieces).containsExactly("\"T\"", "\"he\"");
    runWith("", "score", "-m", talking)
        .failed(2, "there is no text to score; give it as an argument or on standard input");
  }

  @Test
  void whatCannotBeScored() {
    run("score", "-m", folder("tiny/hf"), "--ids").failed(1, "there is nothing to score");
    run("score", "-m", folder("tiny/hf"), "--ids", "512")
        .failed(1, "token id 512 is outside the model's vocabulary of 512");
    runWith("1 ".repeat(257), "score", "-m", folder("yarn/hf"), "--ids")
        .failed(1, "there are 257 tokens to score, but the context holds 256");
  }

  @Test
  void logitsThatCannotBeWritten() {
    String file = temp.resolve("missing/logits.safetensors").toString();
    Outcome outcome = run("score", "-m", folder("tiny/hf"), "--ids", "1,2", "--logits", file);
    assertThat(outcome.exit()).isEqualTo(1);
    assertThat(outcome.err()).startsWith("qnext: cannot write ").contains(file);
    assertThat(outcome.out()).isEmpty();
  }
}
