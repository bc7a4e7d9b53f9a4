package dev.qnext.cli;

import dev.qnext.bench.SyntheticShape;
import dev.qnext.checkpoint.Config;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.json.Json;
import dev.qnext.model.LanguageModel;
import dev.qnext.quantize.Recipe;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What each recipe makes of a model, before it is made. */
@Command(
    name = "recipes",
    description = "Lists the recipes of 'quantize' with the sizes that they give a model.",
    mixinStandardHelpOptions = true)
final class RecipesCommand implements Callable<Integer> {
  private static final int EXPERTS = 512;
  private static final int LAYERS = 48;

  @Parameters(
      arity = "0..1",
      paramLabel = "MODEL",
      description = "A model folder. Default: the shape of Qwen3-Next-80B-A3B.")
  private @Nullable Path model;

  @Option(names = "--json", description = "Print a line of JSON for each.")
  private boolean json;

  /** Sizes in bytes; "token" is what decoding one token reads at least. */
  private record Size(long all, long token, double bitsPerWeight) {}

  @Override
  public Integer call() {
    Config config =
        model == null
            ? SyntheticShape.of("qwen3-next-80b", EXPERTS, LAYERS)
            : Config.read(model.resolve("config.json"));
    Output out = Output.standard();
    if (!json) {
      out.println(
          "%-10s %10s %16s %14s".formatted("recipe", "GB", "bits per weight", "GB per token"));
    }
    for (String name : Recipe.NAMES) {
      Size size = size(config, Recipe.of(name));
      if (json) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("recipe", name);
        line.put("bytes", size.all);
        line.put("bits_per_weight", size.bitsPerWeight);
        line.put("bytes_per_token", size.token);
        out.println(Json.write(line));
      } else {
        out.println(
            String.format(
                Locale.ROOT,
                "%-10s %10.2f %16.2f %14.2f",
                name,
                size.all / 1e9,
                size.bitsPerWeight,
                size.token / 1e9));
      }
    }
    out.flush();
    return 0;
  }

  private static Size size(Config config, Recipe recipe) {
    long all = 0;
    long token = 0;
    long weights = 0;
    boolean tied = config.flag("tie_word_embeddings", false);
    for (WeightSpec spec : LanguageModel.layout(config).weights()) {
      long bytes = spec.bytes(recipe.format(spec.path()));
      all += bytes;
      weights += (long) spec.experts() * spec.rows() * spec.columns();
      if (spec.kind() == WeightSpec.Kind.EXPERTS) {
        token += bytes / spec.experts() * config.size("num_experts_per_tok");
      } else if (spec.path().endsWith("embed_tokens") && !tied) {
        token += bytes / spec.rows();
      } else {
        token += bytes;
      }
    }
    return new Size(all, token, 8.0 * all / weights);
  }
}
