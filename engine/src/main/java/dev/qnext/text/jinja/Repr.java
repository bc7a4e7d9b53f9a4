package dev.qnext.text.jinja;

import dev.qnext.text.jinja.Values.Key;
import dev.qnext.text.jinja.Values.Lazy;
import dev.qnext.text.jinja.Values.Markup;
import dev.qnext.text.jinja.Values.Namespace;
import dev.qnext.text.jinja.Values.Range;
import dev.qnext.text.jinja.Values.Tuple;
import dev.qnext.text.jinja.Values.Undefined;
import dev.qnext.text.jinja.Values.View;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Values as Python's {@code str} and {@code repr} print them. */
final class Repr {
  /** Of lists in lists and so on; Python's own limit lies near 1,000. */
  static final int MAX_DEPTH = 400;

  private Repr() {}

  static String str(@Nullable Object value) {
    String text = Values.text(value);
    return text != null ? text : value instanceof Undefined ? "" : repr(value);
  }

  static String repr(@Nullable Object value) {
    StringBuilder out = new StringBuilder();
    repr(value, out, 0);
    return out.toString();
  }

  private static void repr(@Nullable Object value, StringBuilder out, int depth) {
    if (depth > MAX_DEPTH) {
      throw TemplateException.type("maximum recursion depth exceeded");
    }
    Interpreter.checkText(out.length());
    if (value == null) {
      out.append("None");
    } else if (value instanceof String s) {
      quote(s, out);
    } else if (value instanceof Boolean b) {
      out.append(b ? "True" : "False");
    } else if (value instanceof Double d) {
      out.append(number(d));
    } else if (value instanceof Long) {
      out.append(value);
    } else if (value instanceof BigInteger big) {
      out.append(number(big));
    } else if (value instanceof Markup m) {
      quote(m.text(), out.append("Markup("));
      out.append(')');
    } else if (value instanceof List) {
      items(Values.list(value), out.append('['), depth);
      out.append(']');
    } else if (value instanceof Tuple t) {
      items(t.items(), out.append('('), depth);
      out.append(t.items().size() == 1 ? ",)" : ")");
    } else if (value instanceof Map) {
      entries(Values.map(value), out, depth);
    } else if (value instanceof Namespace n) {
      out.append("<Namespace ");
      entries(n.attributes, out, depth);
      out.append('>');
    } else if (value instanceof View v) {
      out.append("dict_").append(v.method()).append('(');
      repr(Access.items(v), out, depth + 1);
      out.append(')');
    } else if (value instanceof Range r) {
      out.append("range(").append(r.start()).append(", ").append(r.stop());
      out.append(r.step() == 1 ? "" : ", " + r.step()).append(')');
    } else if (value instanceof Undefined) {
      out.append("Undefined");
    } else if (value instanceof Lazy) {
      out.append("<generator object>");
    } else {
      out.append(value);
    }
  }

  private static void items(List<@Nullable Object> items, StringBuilder out, int depth) {
    String comma = "";
    for (Object item : items) {
      out.append(comma);
      comma = ", ";
      repr(item, out, depth + 1);
    }
  }

  private static void entries(Map<Object, @Nullable Object> map, StringBuilder out, int depth) {
    out.append('{');
    String comma = "";
    for (Map.Entry<Object, @Nullable Object> entry : map.entrySet()) {
      out.append(comma);
      comma = ", ";
      repr(Key.value(entry.getKey()), out, depth + 1);
      out.append(": ");
      repr(entry.getValue(), out, depth + 1);
    }
    out.append('}');
  }

  private static void quote(String text, StringBuilder out) {
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    out.append(quote);
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      int simple = "\n\r\t".indexOf(c);
      if (c == quote || c == '\\') {
        out.append('\\').append((char) c);
      } else if (simple >= 0) {
        out.append('\\').append("nrt".charAt(simple));
      } else if (Strings.isPrintable(c)) {
        out.appendCodePoint(c);
      } else {
        out.append(escape(c));
      }
    }
    out.append(quote);
  }

  /** Python's shortest escape of a code point: two, four or eight hexadecimal digits. */
  static String escape(int c) {
    return String.format(c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
  }

  static String number(BigInteger value) {
    boolean tooLong = value.bitLength() > 4 * Numbers.MAX_DIGITS;
    String text = tooLong ? "" : value.toString();
    if (tooLong || text.length() > Numbers.MAX_DIGITS + (value.signum() < 0 ? 1 : 0)) {
      throw TemplateException.type(
          "Exceeds the limit (%d digits) for integer string conversion", Numbers.MAX_DIGITS);
    }
    return text;
  }

  /** The shortest decimal that reads back as the same value, with Python's choice of exponents. */
  static String number(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    } else if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    String java = Double.toString(Math.abs(value));
    int e = java.indexOf('E');
    int dot = java.indexOf('.');
    String fraction = java.substring(dot + 1, e < 0 ? java.length() : e);
    String digits = java.substring(0, dot) + (fraction.equals("0") ? "" : fraction);
    int point = dot + (e < 0 ? 0 : Integer.parseInt(java, e + 1, java.length(), 10));
    int zeros = 0;
    while (zeros < digits.length() - 1 && digits.charAt(zeros) == '0') {
      zeros++;
    }
    digits = digits.substring(zeros);
    point -= zeros;
    if (digits.length() == 2 && e >= 0) {
      // Java writes at least two digits, even where one tells the value.
      int rounded = (Integer.parseInt(digits) + 5) / 10;
      if (Double.parseDouble(rounded + "E" + (point - 1)) == Math.abs(value)) {
        digits = String.valueOf(rounded);
        point += digits.length() - 1;
        digits = digits.substring(0, 1);
      }
    }
    String sign = value < 0 || (value == 0 && 1 / value < 0) ? "-" : "";
    if (value == 0) {
      return sign + "0.0";
    }
    return sign + Field.shortest(digits, point, -4, 16, true);
  }
}
