package dev.qnext.machine;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Text of {@code name: value} lines, as sysctl, /proc and many tools print it; the first line of a
 * name counts, and lines of another kind do not.
 */
public record NamedLines(Map<String, String> values) {
  public static NamedLines of(String text) {
    Map<String, String> values = new LinkedHashMap<>();
    text.lines()
        .forEach(line -> {
          int colon = line.indexOf(':');
          if (colon > 0) {
            values.putIfAbsent(line.substring(0, colon).strip(), line.substring(colon + 1).strip());
          }
        });
    return new NamedLines(values);
  }

  public String text(String name, String missing) {
    return values.getOrDefault(name, missing);
  }

  /** The whole number that the value begins with; -1 if there is none. */
  public long number(String name) {
    return number(text(name, "").split("[^0-9]", 2)[0], -1);
  }

  static long number(String text, long missing) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      return missing;
    }
  }
}
