package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Markup;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's {@code "{:>5}".format(x)}. */
final class BraceFormat {
  private final Interpreter in;
  private final List<@Nullable Object> values;
  private final Map<Object, @Nullable Object> named;
  private final boolean markup;

  /** The next field's number; negative once a field gave its own. */
  private int next;

  private BraceFormat(
      Interpreter in,
      List<@Nullable Object> values,
      Map<Object, @Nullable Object> named,
      boolean markup) {
    this.in = in;
    this.values = values;
    this.named = named;
    this.markup = markup;
  }

  static String format(
      Interpreter in,
      String text,
      List<@Nullable Object> values,
      Map<Object, @Nullable Object> named,
      boolean markup) {
    return new BraceFormat(in, values, named, markup).fill(text, 2);
  }

  String fill(String text, int depth) {
    if (depth < 0) {
      throw type("Max string recursion exceeded");
    }
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean twice = i + 1 < text.length() && text.charAt(i + 1) == c;
      if ((c == '{' || c == '}') && twice) {
        out.append(c);
        i++;
      } else if (c == '{') {
        int close = closing(text, i);
        out.append(field(text.substring(i + 1, close), depth));
        Interpreter.checkText(out.length());
        i = close;
      } else if (c == '}') {
        throw type("Single '}' encountered in format string");
      } else {
        out.append(c);
      }
    }
    return out.toString();
  }

  private static int closing(String text, int open) {
    int depth = 0;
    for (int i = open; i < text.length(); i++) {
      depth += text.charAt(i) == '{' ? 1 : text.charAt(i) == '}' ? -1 : 0;
      if (depth == 0) {
        return i;
      }
    }
    throw type("expected '}' before end of string");
  }

  private String field(String field, int depth) {
    int name = 0;
    boolean bracket = false;
    while (name < field.length() && (bracket || ":!".indexOf(field.charAt(name)) < 0)) {
      bracket = field.charAt(name) == '[' || (bracket && field.charAt(name) != ']');
      name++;
    }
    Object value = find(field.substring(0, name));
    int at = name;
    if (at < field.length() && field.charAt(at) == '!') {
      char conversion = at + 1 < field.length() ? field.charAt(at + 1) : 0;
      if ("rsa".indexOf(conversion) < 0) {
        throw type("Unknown conversion specifier %s", conversion);
      }
      value =
          conversion == 's'
              ? Repr.str(value)
              : conversion == 'r' ? Repr.repr(value) : Field.ascii(value);
      at += 2;
      if (at < field.length() && field.charAt(at) != ':') {
        throw type("expected ':' after conversion specifier");
      }
    }
    String spec = at < field.length() ? fill(field.substring(at + 1), depth - 1) : "";
    if (markup) {
      if (!spec.isEmpty() && value instanceof Markup) {
        throw type("Format specifier %s given, but Markup does not define __html_format__.", spec);
      }
      return value instanceof Markup m ? m.text() : Strings.escapeHtml(formatted(value, spec));
    }
    return formatted(value, spec);
  }

  private @Nullable Object find(String field) {
    int end = 0;
    while (end < field.length() && ".[".indexOf(field.charAt(end)) < 0) {
      end++;
    }
    String first = field.substring(0, end);
    Number number = first.isEmpty() ? (Number) (long) next : Numbers.parseWhole(first, 10);
    if (first.isEmpty() ? next < 0 : number != null && next > 0) {
      throw type("cannot switch between manual and automatic field numbering");
    }
    Object value;
    if (number != null) {
      next = first.isEmpty() ? next + 1 : -1;
      int index = Numbers.clamp(number);
      if (index < 0 || index >= values.size()) {
        throw type("Replacement index %d out of range for positional args tuple", index);
      }
      value = values.get(index);
    } else {
      value = named.getOrDefault(first, Values.ABSENT);
      if (value == Values.ABSENT) {
        throw type("%s", Repr.repr(first));
      }
    }
    while (end < field.length()) {
      boolean item = field.charAt(end) == '[';
      int from = end + 1;
      end = item ? field.indexOf(']', from) : from;
      while (!item && end < field.length() && ".[".indexOf(field.charAt(end)) < 0) {
        end++;
      }
      if (end <= from) {
        throw type("Empty attribute in format string");
      }
      String key = field.substring(from, end);
      Number index = Numbers.parseWhole(key, 10);
      value =
          item ? Access.item(in, value, index == null ? key : index) : Access.attribute(value, key);
      end += item ? 1 : 0;
    }
    return value;
  }

  /** Python's {@code format(value, spec)}. */
  private static String formatted(@Nullable Object value, String text) {
    if (text.isEmpty()) {
      return Repr.str(value);
    }
    Number number = Numbers.of(value);
    String string = Values.text(value);
    if (number == null && string == null) {
      throw type("unsupported format string passed to %s.__format__", Values.typeName(value));
    }
    Field field = field(text, number != null ? '>' : '<');
    char kind = field.kind();
    if (number == null) {
      if ((kind != 0 && kind != 's')
          || field.align() == '='
          || field.sign() != 0
          || field.group() != 0) {
        throw type("Invalid format specifier '%s' for object of type 'str'", text);
      }
      return field.text(Repr.str(value));
    }
    boolean whole = !(number instanceof Double);
    if (kind == 'c' && whole) {
      return field.letter(value);
    }
    if (whole && (kind == 0 || "dbxXon".indexOf(kind) >= 0)) {
      if (field.precision() >= 0) {
        throw type("Precision not allowed in integer format specifier");
      }
      return field.whole(Numbers.big(number), kind == 0 || kind == 'n' ? 'd' : kind);
    }
    if (kind != 0 && "eEfFgGn%".indexOf(kind) < 0) {
      throw type("Unknown format code '%s' for object of type '%s'", kind, Values.typeName(value));
    }
    return field.real(Numbers.real(number));
  }

  private static Field field(String text, char align) {
    int i = 0;
    int fill = ' ';
    char side = align;
    int first = Character.charCount(text.codePointAt(0));
    if (text.length() > first && "<>=^".indexOf(text.charAt(first)) >= 0) {
      fill = text.codePointAt(0);
      side = text.charAt(first);
      i = first + 1;
    } else if ("<>=^".indexOf(text.charAt(0)) >= 0) {
      side = text.charAt(i++);
    }
    boolean aligned = i > 0;
    char sign = i < text.length() && "+- ".indexOf(text.charAt(i)) >= 0 ? text.charAt(i++) : 0;
    boolean alternate = i < text.length() && text.charAt(i) == '#';
    i += alternate ? 1 : 0;
    if (i < text.length() && text.charAt(i) == '0') {
      fill = aligned ? fill : '0';
      side = aligned || align == '<' ? side : '=';
      i++;
    }
    int from = i;
    i = Field.skipDigits(text, i);
    int width = i > from ? Field.size(text.substring(from, i)) : 0;
    char group = i < text.length() && ",_".indexOf(text.charAt(i)) >= 0 ? text.charAt(i++) : 0;
    int precision = -1;
    if (i < text.length() && text.charAt(i) == '.') {
      from = ++i;
      i = Field.skipDigits(text, i);
      if (i == from) {
        throw type("Format specifier missing precision");
      }
      precision = Field.size(text.substring(from, i));
    }
    char kind = i < text.length() ? text.charAt(i++) : 0;
    if (i < text.length()) {
      throw type("Invalid format specifier '%s'", text);
    }
    return new Field(fill, side, sign, alternate, group, width, precision, kind);
  }
}
