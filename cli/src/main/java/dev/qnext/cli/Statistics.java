package dev.qnext.cli;

import dev.qnext.backend.Sampling;
import dev.qnext.generate.Result;
import java.util.Locale;

/** The line on standard error that says what a reply cost. */
final class Statistics {
  private Statistics() {}

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
