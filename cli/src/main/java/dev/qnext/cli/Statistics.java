package dev.qnext.cli;

import dev.qnext.backend.Sampling;
import dev.qnext.generate.Request;
import dev.qnext.generate.Result;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a reply cost. */
final class Statistics {
  private Statistics() {}

  /** Adds what is known of a reply to a JSON object. */
  static Map<String, @Nullable Object> addTo(
      Map<String, @Nullable Object> object, Result result, Request request) {
    object.put("ids", result.tokens());
    object.put("end", result.end().name().toLowerCase(Locale.ROOT));
    object.put("prompt_tokens", result.promptTokens());
    object.put("reused_tokens", result.reusedTokens());
    object.put("generated_tokens", result.tokens().length);
    object.put("prompt_tokens_per_second", result.promptSpeed());
    object.put("generated_tokens_per_second", result.generationSpeed());
    object.put("peak_memory_bytes", PeakMemory.bytes());
    object.put("seed", request.sampling().seed());
    return object;
  }

  /** The line on standard error. */
  static String line(Result result, Sampling sampling) {
    StringBuilder line = new StringBuilder("[ prompt %,d tokens".formatted(result.promptTokens()));
    if (result.reusedTokens() > 0) {
      line.append(", %,d of them reused".formatted(result.reusedTokens()));
    }
    line.append(
        String.format(
            Locale.ROOT,
            ", %.1f tok/s | generation %,d tokens, %.1f tok/s",
            result.promptSpeed(),
            result.tokens().length,
            result.generationSpeed()));
    long peak = PeakMemory.bytes();
    if (peak > 0) {
      line.append(String.format(Locale.ROOT, " | peak memory %.2f GB", peak / 1e9));
    }
    if (sampling.temperature() > 0) {
      line.append(" | seed ").append(sampling.seed());
    }
    String end =
        switch (result.end()) {
          case STOP_ID, STOPPED -> "";
          case MAX_TOKENS -> " | stopped by --max-tokens";
          case CONTEXT -> " | the context is full";
          case CANCELLED -> " | stopped";
        };
    return line.append(end).append(" ]").toString();
  }
}
