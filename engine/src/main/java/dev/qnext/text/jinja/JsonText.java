package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Key;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** JSON as Python's {@code json.dumps} writes it, for the {@code tojson} filter. */
final class JsonText {
  private final Interpreter in;
  private final boolean ascii;
  private final @Nullable String indent;
  private final boolean sorted;
  private String comma = ", ";
  private String colon = ": ";
  private final StringBuilder out = new StringBuilder();

  private JsonText(Interpreter in, boolean ascii, @Nullable String indent, boolean sorted) {
    this.in = in;
    this.ascii = ascii;
    this.indent = indent;
    this.sorted = sorted;
  }

  /**
   * The filter {@code tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false)}.
   */
  static String dumps(Interpreter in, @Nullable Object value, Arguments arguments) {
    @Nullable Object[] of =
        arguments.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
    String indent = of[1] == Values.ABSENT ? null : Values.text(of[1]);
    if (indent == null && of[1] != null && of[1] != Values.ABSENT) {
      int width = Math.max(Methods.whole(of[1], 0), 0);
      Interpreter.checkText(width);
      indent = " ".repeat(width);
    }
    JsonText json = new JsonText(in, isTrue(of[0]), indent, isTrue(of[3]));
    json.comma = indent == null ? ", " : ",";
    if (of[2] != Values.ABSENT && of[2] != null) {
      List<@Nullable Object> both = Access.toList(in, of[2]);
      if (both.size() != 2) {
        throw type("separators must be two strings");
      }
      json.comma = Methods.string(both.get(0));
      json.colon = Methods.string(both.get(1));
    }
    json.write(value, 0);
    return json.out.toString();
  }

  private static boolean isTrue(@Nullable Object value) {
    return value != Values.ABSENT && Operators.truth(value);
  }

  private void write(@Nullable Object value, int depth) {
    if (depth > Repr.MAX_DEPTH) {
      throw type("maximum recursion depth exceeded");
    }
    Interpreter.checkText(out.length());
    String text = Values.text(value);
    List<@Nullable Object> items = Values.sequence(value);
    if (text != null) {
      quote(text);
    } else if (items != null) {
      out.append('[');
      for (int i = 0; i < items.size(); i++) {
        separate(i, depth + 1);
        write(items.get(i), depth + 1);
      }
      close(']', items.isEmpty(), depth);
    } else if (value instanceof Map) {
      writeMap(Values.map(value), depth);
    } else {
      String scalar = scalar(value);
      if (scalar == null) {
        throw type("Object of type %s is not JSON serializable", Values.typeName(value));
      }
      out.append(scalar);
    }
  }

  private void writeMap(Map<Object, @Nullable Object> map, int depth) {
    out.append('{');
    List<@Nullable Object> keys = Access.keys(map);
    keys = sorted ? Sorting.sorted(in, keys, keys, false) : keys;
    for (int i = 0; i < keys.size(); i++) {
      Object key = keys.get(i);
      String name = key instanceof String s ? s : scalar(key);
      if (name == null) {
        throw type("keys must be str, int, float, bool or None, not %s", Values.typeName(key));
      }
      separate(i, depth + 1);
      quote(name);
      out.append(colon);
      write(map.get(Key.of(in, key)), depth + 1);
    }
    close('}', map.isEmpty(), depth);
  }

  private void separate(int index, int depth) {
    out.append(index == 0 ? "" : comma);
    newLine(depth);
  }

  private void close(char bracket, boolean empty, int depth) {
    if (!empty) {
      newLine(depth);
    }
    out.append(bracket);
  }

  private void newLine(int depth) {
    if (indent != null) {
      Interpreter.checkText(out.length() + (long) indent.length() * depth);
      out.append('\n').repeat(indent, depth);
    }
  }

  private static @Nullable String scalar(@Nullable Object value) {
    if (value == null) {
      return "null";
    } else if (value instanceof Boolean flag) {
      return flag ? "true" : "false";
    } else if (value instanceof Double d) {
      return d.isNaN()
          ? "NaN"
          : d.isInfinite() ? (d > 0 ? "Infinity" : "-Infinity") : Repr.number(d);
    }
    return value instanceof Long
        ? value.toString()
        : value instanceof BigInteger big ? Repr.number(big) : null;
  }

  private void quote(String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      int simple = "\"\\\n\r\t\b\f".indexOf(c);
      if (simple >= 0) {
        out.append('\\').append("\"\\nrtbf".charAt(simple));
      } else if (c < 0x20 || (ascii && c > 0x7E)) {
        out.append("\\u").append("0123456789abcdef".charAt(c >> 12));
        out.append("0123456789abcdef".charAt(c >> 8 & 15));
        out.append("0123456789abcdef".charAt(c >> 4 & 15))
            .append("0123456789abcdef".charAt(c & 15));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
