package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.backend.Sampling;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.generate.Penalties;
import dev.qnext.generate.Request;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/**
 * How tokens are drawn and when a reply ends; what is not given comes from the model's
 * generation_config.json.
 */
final class SamplingOptions {
  @Option(names = "--temp", paramLabel = "T", description = "Temperature; 0 is greedy.")
  private @Nullable Float temperature;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Keep the most probable tokens that reach this sum.")
  private @Nullable Float topP;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Keep the K most probable tokens; 0 keeps all.")
  private @Nullable Integer topK;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description = "Keep tokens of at least this share of the largest probability.")
  private @Nullable Float minP;

  @Option(
      names = "--repetition-penalty",
      paramLabel = "X",
      description = "Above 1: less of what was said before.")
  private @Nullable Float repetitionPenalty;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      description = "Taken from every token that was generated.",
      defaultValue = "0")
  private float presencePenalty;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      description = "Taken as often as the token was generated.",
      defaultValue = "0")
  private float frequencyPenalty;

  @Option(
      names = "--logit-bias",
      paramLabel = "ID=X",
      description = "Added to a token's logit; may be repeated.")
  private Map<Integer, Float> logitBias = Map.of();

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Draws the same tokens again. Default: another seed each time.")
  private @Nullable Long seed;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      description = "Most tokens of a reply. Default: ${DEFAULT-MAX-TOKENS:-as many as fit}.")
  private @Nullable Integer maxTokens;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "End the reply before this text; may be repeated.")
  private List<String> stop = List.of();

  @Option(names = "--ignore-eos", description = "Go on where the model would end.")
  private boolean ignoreEos;

  /** What a conversation may change, by the names of the options. */
  static final List<String> CHANGEABLE =
      List.of("temp", "top-p", "top-k", "min-p", "seed", "max-tokens");

  private long freshSeed = newSeed();

  private static long newSeed() {
    return ThreadLocalRandom.current().nextInt(Integer.MAX_VALUE);
  }

  List<String> stop() {
    return stop;
  }

  /** The seed, given or drawn, for the statistics. */
  long seed() {
    return seed == null ? freshSeed : seed;
  }

  /** From now on other tokens are drawn. */
  void changeSeed() {
    if (seed == null) {
      freshSeed = newSeed();
    } else {
      seed++;
    }
  }

  /** The value of a {@link #CHANGEABLE} option; null if none was given. */
  @Nullable Object given(String name) {
    return switch (name) {
      case "temp" -> temperature;
      case "top-p" -> topP;
      case "top-k" -> topK;
      case "min-p" -> minP;
      case "seed" -> seed;
      case "max-tokens" -> maxTokens;
      default -> throw new IllegalArgumentException(name);
    };
  }

  /**
   * Gives a {@link #CHANGEABLE} option another value, from now on.
   *
   * @param text null takes the value back
   * @throws UsageException if the text is no such value; nothing changes then
   */
  void give(String name, @Nullable String text) {
    Object before = given(name);
    try {
      put(name, text == null ? null : value(name, text));
      check();
    } catch (NumberFormatException e) {
      String kind = name.matches("temp|.*-p") ? "number" : "whole number";
      throw new UsageException("\"%s\" is not a %s for %s".formatted(text, kind, name), e);
    } catch (UsageException e) {
      put(name, before);
      throw e;
    }
  }

  private static Object value(String name, String text) {
    return switch (name) {
      case "temp", "top-p", "min-p" -> Float.valueOf(text);
      case "seed" -> Long.valueOf(text);
      default -> Integer.valueOf(text);
    };
  }

  private void put(String name, @Nullable Object value) {
    switch (name) {
      case "temp" -> temperature = (Float) value;
      case "top-p" -> topP = (Float) value;
      case "top-k" -> topK = (Integer) value;
      case "min-p" -> minP = (Float) value;
      case "seed" -> seed = (Long) value;
      default -> maxTokens = (Integer) value;
    }
  }

  /** Finds wrong usage before a model is loaded. */
  void check() {
    try {
      request(new int[0], Config.empty(Path.of("")), new int[0], 0);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()), e);
    }
  }

  /**
   * What to generate behind a prompt.
   *
   * @throws QnextException if a value of generation_config.json means nothing
   */
  Request request(int[] prompt, Checkpoint checkpoint, int maxTokensIfNotGiven) {
    Config defaults = checkpoint.generationConfig();
    int[] stopIds =
        defaults.has("eos_token_id")
            ? defaults.ids("eos_token_id")
            : checkpoint.config().ids("eos_token_id");
    try {
      return request(prompt, defaults, ignoreEos ? new int[0] : stopIds, maxTokensIfNotGiven);
    } catch (IllegalArgumentException e) {
      throw new QnextException("%s: %s".formatted(defaults.file(), e.getMessage()), e);
    }
  }

  private Request request(int[] prompt, Config defaults, int[] stopIds, int maxTokensIfNotGiven) {
    boolean sample = defaults.flag("do_sample", defaults.has("temperature"));
    Sampling sampling =
        new Sampling(
            or(temperature, sample ? defaults.number("temperature", 1) : 0),
            topK != null ? topK : (int) defaults.number("top_k", 0),
            or(topP, defaults.number("top_p", 1)),
            or(minP, defaults.number("min_p", 0)),
            seed());
    Penalties penalties =
        new Penalties(
            or(repetitionPenalty, defaults.number("repetition_penalty", 1)),
            presencePenalty,
            frequencyPenalty,
            logitBias);
    return new Request(
        prompt, maxTokens != null ? maxTokens : maxTokensIfNotGiven, stopIds, sampling, penalties);
  }

  private static float or(@Nullable Float given, double missing) {
    return given != null ? given : (float) missing;
  }
}
