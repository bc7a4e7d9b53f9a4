package dev.qnext.cli;

import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.cli.ThinkOptions.Think;
import dev.qnext.generate.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What a conversation may change while it lasts, by the names of the options. */
final class Settings {
  /** Takes a value back. */
  private static final String DEFAULT = "default";

  private final Checkpoint checkpoint;
  private final SamplingOptions sampling;
  private final ThinkOptions thinking;
  private final StatisticsOptions statistics;

  Settings(
      Checkpoint checkpoint,
      SamplingOptions sampling,
      ThinkOptions thinking,
      StatisticsOptions statistics) {
    this.checkpoint = checkpoint;
    this.sampling = sampling;
    this.thinking = thinking;
    this.statistics = statistics;
  }

  List<String> names() {
    List<String> names = new ArrayList<>(SamplingOptions.CHANGEABLE);
    names.addAll(List.of("think", "think-budget", "stats"));
    return names;
  }

  /** Values that can be named, for who types one; empty for an unknown setting. */
  List<String> values(String name) {
    return switch (name) {
      case "think" -> List.of("show", "fold", "hide");
      case "stats" -> List.of("on", "off");
      default -> names().contains(name) ? List.of(DEFAULT) : List.of();
    };
  }

  /** The value that counts. */
  String value(String name) {
    return switch (name) {
      case "think" -> thinking.think().name().toLowerCase(Locale.ROOT);
      case "think-budget" ->
          thinking.budget() == Integer.MAX_VALUE ? "no limit" : "" + thinking.budget();
      case "stats" -> statistics.on() ? "on" : "off";
      default -> {
        require(name);
        Object given = sampling.given(name);
        yield given != null ? given.toString() : defaultValue(name);
      }
    };
  }

  private String defaultValue(String name) {
    Request request = sampling.request(new int[0], checkpoint, Integer.MAX_VALUE);
    return switch (name) {
      case "temp" -> request.sampling().temperature() + " (the model's)";
      case "top-p" -> request.sampling().topP() + " (the model's)";
      case "top-k" -> request.sampling().topK() + " (the model's)";
      case "min-p" -> request.sampling().minP() + " (the model's)";
      case "seed" -> request.sampling().seed() + " (drawn)";
      default -> "as many as fit";
    };
  }

  /**
   * Changes a value.
   *
   * @throws UsageException if there is no such setting, or it cannot have that value
   */
  void set(String name, String value) {
    @Nullable String given = value.equals(DEFAULT) ? null : value;
    switch (name) {
      case "think" -> thinking.think(given == null ? null : think(given));
      case "think-budget" -> thinking.budget(given == null ? Integer.MAX_VALUE : budget(given));
      case "stats" -> statistics.set(given == null || on(given));
      default -> {
        require(name);
        sampling.give(name, given);
      }
    }
  }

  private void require(String name) {
    if (!names().contains(name)) {
      String nearest = Nearest.of(name, names());
      throw new UsageException(
          "there is no setting %s; %s"
              .formatted(
                  name,
                  nearest == null
                      ? "there are " + String.join(", ", names())
                      : "did you mean " + nearest + "?"),
          null);
    }
  }

  private static Think think(String value) {
    for (Think how : Think.values()) {
      if (how.name().equalsIgnoreCase(value)) {
        return how;
      }
    }
    throw new UsageException("think is %s but must be show, fold or hide".formatted(value), null);
  }

  private static int budget(String value) {
    try {
      int tokens = Integer.parseInt(value);
      if (tokens >= 0) {
        return tokens;
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new UsageException(
        "think-budget is %s but must be a whole number, at least 0".formatted(value), null);
  }

  private static boolean on(String value) {
    if (!value.equals("on") && !value.equals("off")) {
      throw new UsageException("stats is %s but must be on or off".formatted(value), null);
    }
    return value.equals("on");
  }
}
