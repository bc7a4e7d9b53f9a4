package dev.qnext.checkpoint;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A JSON object of settings, such as config.json, with typed access by the file's own keys. A
 * missing or null key takes the default; a value of the wrong kind is an error that names file, key
 * and value.
 */
public final class Config {
  private final Path file;
  private final String prefix;
  private final Map<?, ?> values;

  private Config(Path file, String prefix, Map<?, ?> values) {
    this.file = file;
    this.prefix = prefix;
    this.values = values;
  }

  public static Config read(Path file) {
    return of(file, Json.read(file, "configuration"));
  }

  /** Settings from an already parsed value; {@code file} is for errors. */
  public static Config of(Path file, @Nullable Object value) {
    if (!(value instanceof Map<?, ?> values)) {
      throw new QnextException("%s must hold a JSON object".formatted(file));
    }
    return new Config(file, "", values);
  }

  public static Config empty(Path file) {
    return new Config(file, "", Map.of());
  }

  public Path file() {
    return file;
  }

  /** Everything, in the order of the file. */
  public Map<String, @Nullable Object> all() {
    Map<String, @Nullable Object> all = new LinkedHashMap<>();
    values.forEach((key, value) -> all.put(String.valueOf(key), value));
    return all;
  }

  public @Nullable Object get(String key) {
    return values.get(key);
  }

  public boolean isEmpty() {
    return values.isEmpty();
  }

  public boolean has(String key) {
    return values.get(key) != null;
  }

  /** A whole number between 1 and 2^31 - 1. */
  public int size(String key) {
    return whole(key, 1, Integer.MAX_VALUE);
  }

  public int size(String key, int missing) {
    return has(key) ? size(key) : missing;
  }

  private int whole(String key, long min, long max) {
    Object value = values.get(key);
    if (value == null) {
      throw new QnextException("%s lacks \"%s%s\"".formatted(file, prefix, key));
    }
    if (!(value instanceof Long number) || number < min || number > max) {
      throw wrong(key, value, "a whole number from %d to %d".formatted(min, max));
    }
    return (int) (long) number;
  }

  /** A finite number; whole ones are fine too. */
  public double number(String key, double missing) {
    Object value = values.get(key);
    if (value == null) {
      return missing;
    }
    if (!(value instanceof Number number) || !Double.isFinite(number.doubleValue())) {
      throw wrong(key, value, "a number");
    }
    return number.doubleValue();
  }

  public boolean flag(String key, boolean missing) {
    Object value = values.get(key);
    if (value == null) {
      return missing;
    }
    if (!(value instanceof Boolean flag)) {
      throw wrong(key, value, "true or false");
    }
    return flag;
  }

  public String text(String key, String missing) {
    Object value = values.get(key);
    if (value == null) {
      return missing;
    }
    if (!(value instanceof String text)) {
      throw wrong(key, value, "a string");
    }
    return text;
  }

  public List<String> texts(String key) {
    List<String> out = new ArrayList<>();
    for (Object item : list(key)) {
      if (!(item instanceof String text)) {
        throw wrong(key, values.get(key), "a list of strings");
      }
      out.add(text);
    }
    return out;
  }

  /** A list of whole numbers, or a single one; empty if missing. */
  public int[] ids(String key) {
    List<?> list = values.get(key) instanceof Long single ? List.of(single) : list(key);
    int[] out = new int[list.size()];
    for (int i = 0; i < out.length; i++) {
      if (!(list.get(i) instanceof Long id) || id < 0 || id > Integer.MAX_VALUE) {
        throw wrong(key, values.get(key), "a list of whole numbers");
      }
      out[i] = (int) (long) id;
    }
    return out;
  }

  private List<?> list(String key) {
    Object value = values.get(key);
    if (value == null) {
      return List.of();
    }
    if (!(value instanceof List<?> list)) {
      throw wrong(key, value, "a list");
    }
    return list;
  }

  /** The object under this key; empty if missing. */
  public Config object(String key) {
    Object value = values.get(key);
    if (value == null) {
      return new Config(file, prefix + key + ".", Map.of());
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw wrong(key, value, "an object");
    }
    return new Config(file, prefix + key + ".", map);
  }

  /** An error about one key's value. */
  public QnextException wrong(String key, @Nullable Object value, String allowed) {
    String text = Json.write(value);
    return new QnextException(
        "%s: \"%s%s\" is %s but must be %s"
            .formatted(
                file,
                prefix,
                key,
                text.length() > 60 ? text.substring(0, 60) + "..." : text,
                allowed));
  }
}
