package dev.qnext.cli;

import dev.qnext.Engine;
import dev.qnext.QnextException;
import dev.qnext.checkpoint.SafetensorsWriter;
import dev.qnext.evaluate.Scorer;
import dev.qnext.json.Json;
import dev.qnext.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Log-probabilities of a given text. */
@Command(
    name = "score",
    description = "Prints the log-probability of every token of a text.",
    mixinStandardHelpOptions = true)
final class ScoreCommand implements Callable<Integer> {
  @Mixin private ModelOptions model = new ModelOptions();

  @Parameters(
      arity = "0..1",
      paramLabel = "TEXT",
      description = "The text; behind standard input if that is piped. - is standard input.")
  private @Nullable String text;

  @Option(
      names = "--ids",
      arity = "0..*",
      paramLabel = "ID",
      description = "Score these token ids (or those on standard input). Needs no tokenizer.")
  private @Nullable List<String> ids;

  @Option(
      names = "--logits",
      paramLabel = "FILE",
      description = "Write all logits, f32 \"logits\" [tokens, vocabulary], as safetensors.")
  private @Nullable Path logits;

  @Option(names = "--json", description = "Print one JSON object instead of lines.")
  private boolean json;

  @Override
  public Integer call() {
    Path folder = model.path();
    Tokenizer tokenizer =
        ids == null || ModelOptions.hasTokenizer(folder) ? Tokenizer.load(folder) : null;
    int[] scored =
        ids != null
            ? Ids.of(ids)
            : java.util.Objects.requireNonNull(tokenizer)
                .encode(Input.requiredPrompt(text, "text to score"));
    try (Engine engine = model.open(folder)) {
      int vocabulary = engine.model().vocabularySize();
      float[] all = logits == null ? new float[0] : room(scored.length, vocabulary);
      double[] scores =
          engine.call(m ->
              Scorer.score(
                  m,
                  scored,
                  (position, row) -> {
                    if (logits != null) {
                      System.arraycopy(row, 0, all, position * vocabulary, vocabulary);
                    }
                  }));
      if (logits != null) {
        List<Long> shape = List.of((long) scored.length, (long) vocabulary);
        SafetensorsWriter.write(logits, Map.of("logits", new SafetensorsWriter.Floats(shape, all)));
      }
      print(scored, scores, tokenizer);
      return 0;
    }
  }

  private static float[] room(int tokens, int vocabulary) {
    if ((long) tokens * vocabulary > Integer.MAX_VALUE - 8) {
      throw new QnextException(
          "the logits of %,d tokens are too many for one file; score fewer".formatted(tokens));
    }
    return new float[tokens * vocabulary];
  }

  private void print(int[] scored, double[] scores, @Nullable Tokenizer tokenizer) {
    double sum = 0;
    for (double score : scores) {
      sum += score;
    }
    double mean = scores.length == 0 ? 0 : sum / scores.length;
    Output out = Output.standard();
    if (json) {
      Map<String, @Nullable Object> object = new LinkedHashMap<>();
      object.put("ids", scored);
      List<Double> list = new ArrayList<>();
      for (double score : scores) {
        list.add(score);
      }
      object.put("log_probabilities", list);
      object.put("sum", sum);
      object.put("mean", mean);
      object.put("perplexity", Math.exp(-mean));
      out.println(Json.write(object));
    } else {
      for (int i = 0; i < scored.length; i++) {
        String score = i == 0 ? "-" : String.format(Locale.ROOT, "%.6f", scores[i - 1]);
        String piece =
            tokenizer == null ? "" : "\t" + Json.write(tokenizer.decode(new int[] {scored[i]}));
        out.println("%d\t%d\t%s%s".formatted(i, scored[i], score, piece));
      }
      System.err.printf(
          Locale.ROOT,
          "[ %,d tokens | log-probability %.4f, mean %.4f | perplexity %.4f ]%n",
          scored.length,
          sum,
          mean,
          Math.exp(-mean));
    }
    out.flush();
  }
}
