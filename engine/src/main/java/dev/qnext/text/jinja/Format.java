package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Markup;
import dev.qnext.text.jinja.Values.Tuple;
import dev.qnext.text.jinja.Values.Undefined;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's two ways to fill in a format: {@code "%05.1f" % x} and {@code "{:>5}".format(x)}. */
final class Format {
  private static final int MAX_PRECISION = 10_000;

  private Format() {}

  /** How one value is laid out; {@code type} 0 is "as str prints it", {@code precision} -1 none. */
  private record Spec(
      int fill,
      char align,
      char sign,
      boolean alternate,
      char group,
      int width,
      int precision,
      char type) {}

  // -- "%s" % value

  static Object percent(Interpreter in, @Nullable Object format, @Nullable Object value) {
    String text = Repr.str(format);
    boolean markup = format instanceof Markup;
    List<@Nullable Object> values = value instanceof Tuple tuple ? tuple.items() : null;
    StringBuilder out = new StringBuilder();
    int used = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c != '%') {
        out.append(c);
        continue;
      }
      i++;
      @Nullable Object operand = Values.ABSENT;
      if (i < text.length() && text.charAt(i) == '(') {
        int close = closing(text, i);
        if (!(value instanceof Map)) {
          throw type("format requires a mapping");
        }
        String key = text.substring(i + 1, close);
        operand = Values.map(value).getOrDefault(key, Values.ABSENT);
        if (operand == Values.ABSENT) {
          throw type("%s", Repr.repr(key));
        }
        i = close + 1;
      }
      StringBuilder flags = new StringBuilder();
      while (i < text.length() && "-+ #0".indexOf(text.charAt(i)) >= 0) {
        flags.append(text.charAt(i++));
      }
      int[] sizes = {0, -1};
      for (int part = 0; part < 2; part++) {
        if (part == 1 && (i >= text.length() || text.charAt(i) != '.')) {
          break;
        }
        i += part;
        if (i < text.length() && text.charAt(i) == '*') {
          sizes[part] = Methods.whole(operand(value, values, used++), 0);
          i++;
        } else {
          int from = i;
          while (i < text.length() && Character.digit(text.charAt(i), 10) >= 0) {
            i++;
          }
          sizes[part] = i > from ? size(text.substring(from, i)) : 0;
        }
      }
      while (i < text.length() && "hlL".indexOf(text.charAt(i)) >= 0) {
        i++;
      }
      if (i >= text.length()) {
        throw type("incomplete format");
      }
      char kind = text.charAt(i);
      if (kind == '%') {
        out.append('%');
        continue;
      }
      operand = operand == Values.ABSENT ? operand(value, values, used++) : operand;
      boolean left = flags.indexOf("-") >= 0 || sizes[0] < 0;
      boolean zero = flags.indexOf("0") >= 0 && !left && "crsa".indexOf(kind) < 0;
      char sign = flags.indexOf("+") >= 0 ? '+' : flags.indexOf(" ") >= 0 ? ' ' : '-';
      Spec spec =
          new Spec(
              zero ? '0' : ' ',
              left ? '<' : zero ? '=' : '>',
              sign,
              flags.indexOf("#") >= 0,
              (char) 0,
              Math.abs(sizes[0]),
              sizes[1],
              kind);
      out.append(printed(operand, spec, markup));
      Interpreter.checkText(out.length());
    }
    boolean subscriptable =
        value instanceof Map || value instanceof List || value instanceof Undefined;
    if (values != null ? used < values.size() : used == 0 && !subscriptable) {
      throw type("not all arguments converted during string formatting");
    }
    return in.made(markup ? new Markup(out.toString()) : out.toString());
  }

  private static int closing(String text, int open) {
    int depth = 0;
    for (int i = open; i < text.length(); i++) {
      depth += text.charAt(i) == '(' ? 1 : text.charAt(i) == ')' ? -1 : 0;
      if (depth == 0) {
        return i;
      }
    }
    throw type("incomplete format key");
  }

  private static @Nullable Object operand(
      @Nullable Object value, @Nullable List<@Nullable Object> values, int index) {
    if (index >= (values == null ? 1 : values.size())) {
      throw type("not enough arguments for format string");
    }
    return values == null ? value : values.get(index);
  }

  private static String printed(@Nullable Object value, Spec spec, boolean markup) {
    char kind = spec.type();
    if (kind == 's' || kind == 'r' || kind == 'a') {
      String text = kind == 's' ? Repr.str(value) : kind == 'r' ? Repr.repr(value) : ascii(value);
      text = markup ? (kind == 's' ? Methods.escaped(value) : Strings.escapeHtml(text)) : text;
      return padded(cut(text, spec), "", spec);
    }
    String text = Values.text(value);
    if (kind == 'c') {
      boolean letter = text != null && Strings.length(text) == 1;
      return padded(letter ? Repr.str(value) : character(value), "", spec);
    }
    Number number = Numbers.of(value);
    if ("diuxXoeEfFgG".indexOf(kind) < 0) {
      throw type("unsupported format character '%s'", kind);
    }
    if (value instanceof Undefined undefined && "diueEfFgG".indexOf(kind) >= 0) {
      throw undefined.failure();
    }
    if (number == null) {
      throw type("%%%s format: a number is required, not %s", kind, Values.typeName(value));
    }
    if ("eEfFgG".indexOf(kind) >= 0) {
      return real(Numbers.real(number), spec);
    }
    boolean decimal = "diu".indexOf(kind) >= 0;
    if (number instanceof Double d && !decimal) {
      throw type("%%%s format: an integer is required, not float", kind);
    }
    Number whole = number instanceof Double d ? Numbers.truncate(d) : number;
    return whole(Numbers.big(whole), decimal ? 'd' : kind, spec);
  }

  // -- "{}".format(value)

  static String braces(
      Interpreter in,
      String text,
      List<@Nullable Object> values,
      Map<Object, @Nullable Object> named,
      boolean markup) {
    return new Braces(in, values, named, markup).fill(text, 2);
  }

  private static final class Braces {
    private final Interpreter in;
    private final List<@Nullable Object> values;
    private final Map<Object, @Nullable Object> named;
    private final boolean markup;
    private int next;

    Braces(
        Interpreter in,
        List<@Nullable Object> values,
        Map<Object, @Nullable Object> named,
        boolean markup) {
      this.in = in;
      this.values = values;
      this.named = named;
      this.markup = markup;
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
                : conversion == 'r' ? Repr.repr(value) : ascii(value);
        at += 2;
        if (at < field.length() && field.charAt(at) != ':') {
          throw type("expected ':' after conversion specifier");
        }
      }
      String spec = at < field.length() ? fill(field.substring(at + 1), depth - 1) : "";
      if (markup) {
        if (!spec.isEmpty() && value instanceof Markup) {
          throw type(
              "Format specifier %s given, but Markup does not define __html_format__.", spec);
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
            item
                ? Access.item(in, value, index == null ? key : index)
                : Access.attribute(in, value, key);
        end += item ? 1 : 0;
      }
      return value;
    }
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
    Spec spec = spec(text, number != null ? '>' : '<');
    char kind = spec.type();
    if (number == null) {
      if ((kind != 0 && kind != 's')
          || spec.align() == '='
          || spec.sign() != 0
          || spec.group() != 0) {
        throw type("Invalid format specifier '%s' for object of type 'str'", text);
      }
      return padded(cut(Repr.str(value), spec), "", spec);
    }
    boolean whole = !(number instanceof Double);
    if (kind == 'c' && whole) {
      return padded(character(value), "", spec);
    }
    if (whole && (kind == 0 || "dbxXon".indexOf(kind) >= 0)) {
      if (spec.precision() >= 0) {
        throw type("Precision not allowed in integer format specifier");
      }
      return whole(Numbers.big(number), kind == 0 || kind == 'n' ? 'd' : kind, spec);
    }
    if (kind != 0 && "eEfFgGn%".indexOf(kind) < 0) {
      throw type("Unknown format code '%s' for object of type '%s'", kind, Values.typeName(value));
    }
    return real(Numbers.real(number), spec);
  }

  private static Spec spec(String text, char align) {
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
    while (i < text.length() && Character.digit(text.charAt(i), 10) >= 0) {
      i++;
    }
    int width = i > from ? size(text.substring(from, i)) : 0;
    char group = i < text.length() && ",_".indexOf(text.charAt(i)) >= 0 ? text.charAt(i++) : 0;
    int precision = -1;
    if (i < text.length() && text.charAt(i) == '.') {
      from = ++i;
      while (i < text.length() && Character.digit(text.charAt(i), 10) >= 0) {
        i++;
      }
      if (i == from) {
        throw type("Format specifier missing precision");
      }
      precision = size(text.substring(from, i));
    }
    char kind = i < text.length() ? text.charAt(i++) : 0;
    if (i < text.length()) {
      throw type("Invalid format specifier '%s'", text);
    }
    return new Spec(fill, side, sign, alternate, group, width, precision, kind);
  }

  // -- the parts of both

  private static int size(String digits) {
    Number size = Numbers.parseWhole(digits, 10);
    if (!(size instanceof Long value) || value > Integer.MAX_VALUE) {
      throw type("Too many decimal digits in format string");
    }
    return value.intValue();
  }

  private static String ascii(@Nullable Object value) {
    String text = Repr.repr(value);
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      out.append(c < 128 ? Character.toString(c) : Repr.escape(c));
    }
    return out.toString();
  }

  private static String character(@Nullable Object value) {
    if (!Numbers.isWhole(value)) {
      throw type("%%c requires int or char");
    }
    int point = Methods.whole(value, 0);
    if (!Character.isValidCodePoint(point)) {
      throw type("%%c arg not in range(0x110000)");
    }
    return Character.toString(point);
  }

  private static String cut(String text, Spec spec) {
    boolean cut = spec.precision() >= 0 && spec.precision() < Strings.length(text);
    return cut ? Strings.substring(text, 0, spec.precision()) : text;
  }

  private static String padded(String text, String sign, Spec spec) {
    long blanks = Math.max(0, (long) spec.width() - Strings.length(text) - sign.length());
    long left = spec.align() == '<' ? 0 : spec.align() == '^' ? blanks / 2 : blanks;
    String fill = Character.toString(spec.fill());
    return spec.align() == '='
        ? sign + Strings.pad(text, fill, blanks, 0)
        : Strings.pad(sign + text, fill, left, blanks - left);
  }

  private static String sign(boolean negative, Spec spec) {
    return negative ? "-" : spec.sign() == '+' ? "+" : spec.sign() == ' ' ? " " : "";
  }

  private static String whole(BigInteger value, char kind, Spec spec) {
    int radix = kind == 'd' ? 10 : kind == 'o' ? 8 : kind == 'b' ? 2 : 16;
    String digits = radix == 10 ? Repr.number(value.abs()) : value.abs().toString(radix);
    digits = kind == 'X' ? Strings.upper(digits) : digits;
    if (spec.precision() > MAX_PRECISION) {
      throw TemplateException.limit("a format has a precision above " + MAX_PRECISION);
    }
    digits = "0".repeat(Math.max(0, spec.precision() - digits.length())) + digits;
    String prefix = spec.alternate() && radix != 10 ? "0" + kind : "";
    String sign = sign(value.signum() < 0, spec) + prefix;
    return padded(grouped(digits, digits.length(), sign, spec, radix == 10 ? 3 : 4), sign, spec);
  }

  /** With the group sign between the first {@code point} digits, and zeros up to the width. */
  private static String grouped(String digits, int point, String sign, Spec spec, int size) {
    if (spec.group() == 0) {
      return digits;
    }
    int count = point;
    if (spec.fill() == '0' && spec.align() == '=') {
      Interpreter.checkText(spec.width());
      int others = digits.length() - point + sign.length();
      while (count + (count - 1) / size + others < spec.width()) {
        count++;
      }
    }
    String all = "0".repeat(count - point) + digits;
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < count; i++) {
      if (i > 0 && (count - i) % size == 0) {
        out.append(spec.group());
      }
      out.append(all.charAt(i));
    }
    return out.append(all, count, all.length()).toString();
  }

  private static String real(double value, Spec spec) {
    boolean negative = value < 0 || (value == 0 && 1 / value < 0);
    String sign = sign(negative, spec);
    boolean upper = "EFG".indexOf(spec.type()) >= 0;
    String text;
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      text = Double.isNaN(value) ? "nan" : "inf";
      sign = Double.isNaN(value) ? sign(false, spec) : sign;
      text = spec.type() == '%' ? text + "%" : text;
    } else {
      text = finite(Math.abs(value), spec);
      int point = 0;
      while (point < text.length() && Character.isDigit(text.charAt(point))) {
        point++;
      }
      text = grouped(text, point, sign, spec, 3);
    }
    return padded(upper ? Strings.upper(text) : text, sign, spec);
  }

  private static String finite(double value, Spec spec) {
    int precision = spec.precision() < 0 ? 6 : spec.precision();
    if (precision > MAX_PRECISION) {
      throw TemplateException.limit("a format has a precision above " + MAX_PRECISION);
    }
    BigDecimal exact = new BigDecimal(value);
    switch (spec.type()) {
      case 'f', 'F', '%':
        BigDecimal scaled = spec.type() == '%' ? new BigDecimal(value * 100) : exact;
        String fixed = scaled.setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
        fixed = spec.alternate() && precision == 0 ? fixed + "." : fixed;
        return spec.type() == '%' ? fixed + "%" : fixed;
      case 'e', 'E':
        return scientific(exact, precision + 1, spec.alternate());
      default:
        if (spec.type() == 0 && spec.precision() < 0) {
          return Repr.number(value);
        }
        int significant = Math.max(precision, 1);
        BigDecimal rounded = exact.round(new MathContext(significant, RoundingMode.HALF_EVEN));
        int point = value == 0 ? 1 : rounded.precision() - rounded.scale();
        String digits = value == 0 ? "0" : rounded.unscaledValue().toString();
        if (spec.alternate()) {
          digits = digits + "0".repeat(Math.max(0, significant - digits.length()));
        } else {
          digits = Strings.strip(digits, "0", false, true);
        }
        boolean plain = spec.type() == 0;
        int most = significant - (plain ? 1 : 0);
        String text = shortest(digits.isEmpty() ? "0" : digits, point, -4, most, plain);
        boolean bare = spec.alternate() && text.indexOf('.') < 0;
        int mantissa = text.indexOf('e') < 0 ? text.length() : text.indexOf('e');
        return bare ? text.substring(0, mantissa) + "." + text.substring(mantissa) : text;
    }
  }

  private static String scientific(BigDecimal value, int significant, boolean alternate) {
    BigDecimal rounded = value.round(new MathContext(significant, RoundingMode.HALF_EVEN));
    boolean zero = value.signum() == 0;
    String digits = zero ? "0" : rounded.unscaledValue().toString();
    int exponent = zero ? 0 : rounded.precision() - rounded.scale() - 1;
    digits = digits + "0".repeat(Math.max(0, significant - digits.length()));
    String fraction = digits.substring(1, significant);
    String dot = fraction.isEmpty() && !alternate ? "" : ".";
    return digits.charAt(0) + dot + fraction + exponent(exponent);
  }

  private static String exponent(int exponent) {
    int size = Math.abs(exponent);
    return (exponent < 0 ? "e-" : "e+") + (size < 10 ? "0" : "") + size;
  }

  /**
   * Significant digits with the point behind the first {@code point} of them, with an exponent
   * where that is below {@code least} or not below {@code most}.
   *
   * @param fraction whether a whole number ends in ".0"
   */
  static String shortest(String digits, int point, int least, int most, boolean fraction) {
    int exponent = point - 1;
    if (exponent < least || exponent >= most) {
      String rest = digits.length() > 1 ? "." + digits.substring(1) : "";
      return digits.charAt(0) + rest + exponent(exponent);
    } else if (point <= 0) {
      return "0." + "0".repeat(-point) + digits;
    } else if (point < digits.length()) {
      return digits.substring(0, point) + "." + digits.substring(point);
    }
    return digits + "0".repeat(point - digits.length()) + (fraction ? ".0" : "");
  }
}
