package dev.qnext.text;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A model's wish that a function be called.
 *
 * @param arguments plain values, as {@link Json} makes them
 */
public record ToolCall(String name, Map<String, @Nullable Object> arguments) {
  private static final String FUNCTION = "<function=";
  private static final String PARAMETER = "<parameter=";
  private static final String END_PARAMETER = "</parameter>";

  /**
   * Reads what stands between {@code <tool_call>} and {@code </tool_call>}: an object with name and
   * arguments, or the tags of Qwen3-Coder-Next, whose values have no types of their own but those
   * of the function's schema.
   *
   * @param tools JSON schemas of the functions, as given to the template
   * @return null if it is neither
   */
  public static @Nullable ToolCall parse(String text, List<?> tools) {
    String call = text.strip();
    return call.startsWith(FUNCTION) ? tagged(call, tools) : object(call);
  }

  private static @Nullable ToolCall object(String text) {
    Object value;
    try {
      value = Json.parse(text, "a tool call");
    } catch (QnextException e) {
      return null;
    }
    if (!(value instanceof Map<?, ?> map) || !(map.get("name") instanceof String name)) {
      return null;
    }
    Object arguments = map.get("arguments");
    if (arguments instanceof String quoted) {
      try {
        arguments = Json.parse(quoted, "arguments");
      } catch (QnextException e) {
        return null;
      }
    }
    Map<String, @Nullable Object> plain = new LinkedHashMap<>();
    if (arguments instanceof Map<?, ?> given) {
      given.forEach((key, argument) -> plain.put(String.valueOf(key), argument));
    } else if (arguments != null) {
      return null;
    }
    return new ToolCall(name, plain);
  }

  private static @Nullable ToolCall tagged(String text, List<?> tools) {
    int end = text.indexOf('>');
    if (end < 0) {
      return null;
    }
    String name = text.substring(FUNCTION.length(), end).strip();
    Map<?, ?> types = types(name, tools);
    Map<String, @Nullable Object> arguments = new LinkedHashMap<>();
    for (int at = end; (at = text.indexOf(PARAMETER, at)) >= 0; ) {
      int nameEnd = text.indexOf('>', at);
      int valueEnd = text.indexOf(END_PARAMETER, at);
      if (nameEnd < 0 || valueEnd < nameEnd) {
        return null;
      }
      String key = text.substring(at + PARAMETER.length(), nameEnd).strip();
      arguments.put(
          key, value(withoutFrame(text.substring(nameEnd + 1, valueEnd)), types.get(key)));
      at = valueEnd;
    }
    return name.isEmpty() ? null : new ToolCall(name, arguments);
  }

  /** The template writes a value between two line ends. */
  private static String withoutFrame(String value) {
    int from = value.startsWith("\n") ? 1 : 0;
    int to = value.length() - (value.endsWith("\n") && value.length() > from ? 1 : 0);
    return value.substring(from, to);
  }

  private static @Nullable Object value(String text, @Nullable Object schema) {
    Object type = schema instanceof Map<?, ?> map ? map.get("type") : null;
    if (type == null || "string".equals(type)) {
      return text;
    }
    try {
      return Json.parse(text, "a value");
    } catch (QnextException e) {
      return text;
    }
  }

  /** The schemas of a function's parameters by name; empty where none are known. */
  private static Map<?, ?> types(String name, List<?> tools) {
    for (Object tool : tools) {
      Object function =
          tool instanceof Map<?, ?> map && map.containsKey("function") ? map.get("function") : tool;
      if (function instanceof Map<?, ?> map
          && name.equals(map.get("name"))
          && map.get("parameters") instanceof Map<?, ?> parameters
          && parameters.get("properties") instanceof Map<?, ?> properties) {
        return properties;
      }
    }
    return Map.of();
  }

  /** As it is printed, and as a program reads it: {"name": ..., "arguments": {...}}. */
  public Map<String, @Nullable Object> toMap() {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    map.put("name", name);
    map.put("arguments", arguments);
    return map;
  }
}
