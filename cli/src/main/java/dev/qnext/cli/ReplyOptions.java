package dev.qnext.cli;

import dev.qnext.generate.Request;
import dev.qnext.generate.Result;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How a reply is reported. */
final class ReplyOptions {
  @Option(names = "--json", description = "Print one JSON object at the end instead of text.")
  private boolean json;

  @Option(
      names = "--stats",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Print or leave out the line of statistics on standard error.")
  private boolean stats;

  boolean json() {
    return json;
  }

  /** Adds what is known of a reply to a JSON object. */
  Map<String, @Nullable Object> object(
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

  void printStatistics(Result result, Request request) {
    if (stats) {
      System.err.println(Statistics.line(result, request.sampling()));
    }
  }
}
