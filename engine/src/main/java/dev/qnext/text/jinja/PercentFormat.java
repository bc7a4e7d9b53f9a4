package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Markup;
import dev.qnext.text.jinja.Values.Range;
import dev.qnext.text.jinja.Values.Tuple;
import dev.qnext.text.jinja.Values.Undefined;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's {@code "%05.1f" % x}. */
final class PercentFormat {
  private final String text;
  private final boolean markup;
  private final @Nullable Object value;
  private final @Nullable List<@Nullable Object> values;
  private int at;
  private int used;

  private PercentFormat(@Nullable Object format, @Nullable Object value) {
    this.text = Repr.str(format);
    this.markup = format instanceof Markup;
    this.value = value;
    this.values = value instanceof Tuple tuple ? tuple.items() : null;
  }

  /** {@code value}: a tuple of values, a dict for {@code %(name)s}, or the only value. */
  static Object format(@Nullable Object format, @Nullable Object value) {
    return new PercentFormat(format, value).filled();
  }

  private Object filled() {
    StringBuilder out = new StringBuilder();
    while (at < text.length()) {
      char c = text.charAt(at++);
      if (c == '%') {
        out.append(field());
        Interpreter.checkText(out.length());
      } else {
        out.append(c);
      }
    }
    boolean subscriptable =
        value instanceof Map
            || value instanceof List
            || value instanceof Range
            || value instanceof Undefined;
    if (values != null ? used < values.size() : used == 0 && !subscriptable) {
      throw type("not all arguments converted during string formatting");
    }
    return markup ? new Markup(out.toString()) : out.toString();
  }

  private String field() {
    Object operand = here('(') ? named() : Values.ABSENT;
    int from = at;
    while (at < text.length() && "-+ #0".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    String flags = text.substring(from, at);
    int width = size(0);
    int precision = -1;
    if (here('.')) {
      at++;
      precision = size(0);
    }
    while (at < text.length() && "hlL".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    if (at >= text.length()) {
      throw type("incomplete format");
    }
    char kind = text.charAt(at++);
    if (kind == '%') {
      return "%";
    }
    boolean left = flags.indexOf('-') >= 0 || width < 0;
    boolean zero = flags.indexOf('0') >= 0 && !left && "crsa".indexOf(kind) < 0;
    char sign = flags.indexOf('+') >= 0 ? '+' : flags.indexOf(' ') >= 0 ? ' ' : '-';
    char align = left ? '<' : zero ? '=' : '>';
    boolean alternate = flags.indexOf('#') >= 0;
    int fill = zero ? '0' : ' ';
    Field field =
        new Field(fill, align, sign, alternate, (char) 0, Math.abs(width), precision, kind);
    return printed(operand == Values.ABSENT ? next() : operand, field);
  }

  private boolean here(char c) {
    return at < text.length() && text.charAt(at) == c;
  }

  private @Nullable Object named() {
    int from = at + 1;
    int depth = 0;
    do {
      if (at >= text.length()) {
        throw type("incomplete format key");
      }
      depth += here('(') ? 1 : here(')') ? -1 : 0;
      at++;
    } while (depth > 0);
    if (!(value instanceof Map)) {
      throw type("format requires a mapping");
    }
    String key = text.substring(from, at - 1);
    Object found = Values.map(value).getOrDefault(key, Values.ABSENT);
    if (found == Values.ABSENT) {
      throw type("%s", Repr.repr(key));
    }
    return found;
  }

  private int size(int otherwise) {
    if (here('*')) {
      at++;
      return Methods.whole(next(), 0);
    }
    int from = at;
    at = Field.skipDigits(text, at);
    return at > from ? Field.size(text.substring(from, at)) : otherwise;
  }

  private @Nullable Object next() {
    if (used >= (values == null ? 1 : values.size())) {
      throw type("not enough arguments for format string");
    }
    used++;
    return values == null ? value : values.get(used - 1);
  }

  private String printed(@Nullable Object operand, Field field) {
    char kind = field.kind();
    if (kind == 's') {
      return field.text(markup ? Methods.escaped(operand) : Repr.str(operand));
    } else if (kind == 'r' || kind == 'a') {
      String printed = kind == 'r' ? Repr.repr(operand) : Field.ascii(operand);
      return field.text(markup ? Strings.escapeHtml(printed) : printed);
    } else if (kind == 'c') {
      String letter = Values.text(operand);
      return letter != null && Strings.length(letter) == 1
          ? field.text(letter)
          : field.letter(operand);
    }
    boolean decimal = "diu".indexOf(kind) >= 0;
    boolean real = "eEfFgG".indexOf(kind) >= 0;
    if (!decimal && !real && "xXo".indexOf(kind) < 0) {
      throw type("unsupported format character '%s'", kind);
    }
    if (operand instanceof Undefined undefined && (decimal || real)) {
      throw undefined.failure();
    }
    Number number = Numbers.of(operand);
    if (number == null || (number instanceof Double && !decimal && !real)) {
      throw type("%%%s format: a number is required, not %s", kind, Values.typeName(operand));
    }
    if (real) {
      return field.real(Numbers.real(number));
    }
    Number whole = number instanceof Double d ? Numbers.truncate(d) : number;
    return field.whole(Numbers.big(whole), decimal ? 'd' : kind);
  }
}
