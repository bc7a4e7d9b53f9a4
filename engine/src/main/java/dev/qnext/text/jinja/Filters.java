package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.text.jinja.Values.Markup;
import dev.qnext.text.jinja.Values.Undefined;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What stands behind {@code |}, for one value; those for sequences are in {@link Sequences}. */
final class Filters {
  private static final Set<String> NAMES =
      Set.of(
          ("abs attr batch capitalize center count d default dictsort e escape first float"
                  + " forceescape format from_json groupby indent int items join last length list"
                  + " lower map max min reject rejectattr replace reverse round safe select"
                  + " selectattr slice sort string sum title tojson trim truncate unique upper"
                  + " wordcount")
              .split(" "));

  private Filters() {}

  static boolean exists(String name) {
    return NAMES.contains(name);
  }

  static @Nullable Object call(
      Interpreter in, String name, @Nullable Object value, Arguments arguments) {
    in.charge(value);
    Object result = apply(in, name, value, arguments);
    return result == value ? value : in.made(result);
  }

  private static @Nullable Object apply(
      Interpreter in, String name, @Nullable Object value, Arguments arguments) {
    switch (name) {
      case "safe":
        arguments.bind(name, 0);
        return value instanceof Markup ? value : new Markup(Repr.str(value));
      case "e":
      case "escape":
        arguments.bind(name, 0);
        return new Markup(Methods.escaped(value));
      case "forceescape":
        arguments.bind(name, 0);
        return new Markup(Strings.escapeHtml(Repr.str(value)));
      case "string":
        arguments.bind(name, 0);
        return Values.text(value) != null ? value : Repr.str(value);
      case "tojson":
        return JsonText.dumps(in, value, arguments);
      case "from_json":
        arguments.bind(name, 0);
        return fromJson(Methods.string(value));
      case "length":
      case "count":
        arguments.bind(name, 0);
        return Access.length(value);
      case "d":
      case "default":
        @Nullable Object[] of = arguments.bind(name, 0, "default_value", "boolean");
        boolean missing = value instanceof Undefined || (isTrue(of[1]) && !Operators.truth(value));
        return !missing ? value : of[0] == Values.ABSENT ? "" : of[0];
      case "int":
        return whole(value, arguments.bind(name, 0, "default", "base"));
      case "float":
        return real(value, arguments.bind(name, 0, "default")[0]);
      case "abs":
        arguments.bind(name, 0);
        return absolute(value);
      case "round":
        return round(in, value, arguments.bind(name, 0, "precision", "method"));
      case "attr":
        return attribute(value, Methods.string(arguments.bind(name, 1, "name")[0]));
      case "format":
        return PercentFormat.format(text(value), formatted(arguments));
      case "upper":
      case "lower":
      case "capitalize":
      case "title":
      case "trim":
      case "center":
      case "replace":
      case "indent":
      case "truncate":
      case "wordcount":
        return ofText(in, name, value, arguments);
      default:
        if (!exists(name)) {
          throw TemplateException.runtime("No filter named " + Repr.repr(name) + " found.");
        }
        return Sequences.call(in, name, value, arguments);
    }
  }

  private static @Nullable Object fromJson(String text) {
    try {
      return Values.adopt(Json.parse(text, "the text given to from_json"), 0);
    } catch (TemplateException e) {
      throw e;
    } catch (QnextException e) {
      throw type("%s", String.valueOf(e.getMessage()));
    }
  }

  static boolean isTrue(@Nullable Object value) {
    return value != Values.ABSENT && Operators.truth(value);
  }

  /** A string as it is, marked or not, any other value as it is printed. */
  private static Object text(@Nullable Object value) {
    return value != null && Values.text(value) != null ? value : Repr.str(value);
  }

  private static @Nullable Object ofText(
      Interpreter in, String name, @Nullable Object value, Arguments arguments) {
    String text = Repr.str(value);
    String result;
    switch (name) {
      case "title":
        arguments.bind(name, 0);
        return title(text);
      case "wordcount":
        arguments.bind(name, 0);
        return words(text);
      case "replace":
        @Nullable Object[] of = arguments.bind(name, 2, "old", "new", "count");
        int limit = of[2] == null ? -1 : Methods.whole(of[2], -1);
        in.chargeSearch(text, Repr.str(of[0]));
        return Strings.replace(text, Repr.str(of[0]), Repr.str(of[1]), limit);
      case "truncate":
        return truncate(value, arguments);
      case "trim":
        Object chars = arguments.bind(name, 0, "chars")[0];
        boolean blanks = chars == null || chars == Values.ABSENT;
        result = Methods.stripped(in, text, blanks ? null : Methods.string(chars), true, true);
        break;
      case "center":
        int width = Methods.whole(arguments.bind(name, 0, "width")[0], 80);
        result = Methods.justified(text, name, width, " ");
        break;
      case "indent":
        result = indent(Methods.string(failing(value)), arguments);
        break;
      default:
        arguments.bind(name, 0);
        result = Methods.cased(text, name);
    }
    return value instanceof Markup ? new Markup(result) : result;
  }

  private static @Nullable Object failing(@Nullable Object value) {
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    return value;
  }

  private static Object formatted(Arguments arguments) {
    if (!arguments.keywords().isEmpty() && !arguments.positional().isEmpty()) {
      throw TemplateException.runtime(
          "can't handle positional and keyword arguments at the same time");
    }
    return arguments.keywords().isEmpty()
        ? new Values.Tuple(arguments.positional())
        : arguments.keywords();
  }

  private static @Nullable Object attribute(@Nullable Object value, String name) {
    Object found = Access.member(value, name);
    return found == Values.ABSENT ? new Undefined(null, value, name, false) : found;
  }

  private static @Nullable Object whole(@Nullable Object value, @Nullable Object[] of) {
    failing(value);
    Object otherwise = of[0] == Values.ABSENT ? (Object) 0L : of[0];
    Number number = Numbers.of(value);
    if (number != null) {
      boolean broken = number instanceof Double d && d.isNaN();
      return broken ? otherwise : number instanceof Double d ? Numbers.truncate(d) : number;
    }
    String text = Values.text(value);
    if (text == null) {
      return otherwise;
    }
    Number parsed = Numbers.parseWhole(text, Methods.whole(of[1], 10));
    if (parsed != null) {
      return parsed;
    }
    Double real = Numbers.parseReal(text);
    return real == null || real.isNaN() || real.isInfinite() ? otherwise : Numbers.truncate(real);
  }

  private static @Nullable Object real(@Nullable Object value, @Nullable Object otherwise) {
    failing(value);
    Number number = Numbers.of(value);
    String text = Values.text(value);
    Double parsed =
        number != null
            ? (Double) Numbers.real(number)
            : text != null ? Numbers.parseReal(text) : null;
    return parsed != null ? parsed : otherwise == Values.ABSENT ? (Object) 0.0 : otherwise;
  }

  private static Object absolute(@Nullable Object value) {
    Number number = Numbers.of(value);
    if (number == null) {
      throw type("bad operand type for abs(): '%s'", Values.typeName(value));
    }
    return number instanceof Double d
        ? (Object) Math.abs(d)
        : Numbers.big(number).signum() < 0 ? Numbers.negate(number) : number;
  }

  private static Object round(Interpreter in, @Nullable Object value, @Nullable Object[] of) {
    int digits = Methods.whole(of[0], 0);
    String method = of[1] == Values.ABSENT ? "common" : Methods.string(of[1]);
    Number number = Numbers.of(method.equals("common") ? value : failing(value));
    if (number == null) {
      throw type("type %s doesn't define __round__ method", Values.typeName(value));
    }
    if (method.equals("common")) {
      return Numbers.round(number, digits);
    }
    if (!method.equals("ceil") && !method.equals("floor")) {
      throw TemplateException.runtime("method must be common, ceil or floor");
    }
    Number scale = Numbers.binary(in, "**", 10L, (long) digits);
    Number scaled = Numbers.binary(in, "*", number, scale);
    if (scaled instanceof Double d) {
      if (d.isNaN()) {
        throw type("cannot convert float NaN to integer");
      }
      scaled = Numbers.truncate(method.equals("ceil") ? Math.ceil(d) : Math.floor(d));
    }
    return Numbers.binary(in, "/", scaled, scale);
  }

  /** A capital behind each of {@code - ( { [ <} and white space, all else small. */
  private static String title(String text) {
    StringBuilder out = new StringBuilder(text.length());
    int from = 0;
    while (from < text.length()) {
      int to = from;
      while (to < text.length() && !startsWord(text.charAt(to))) {
        to++;
      }
      if (to > from) {
        int first = Character.charCount(text.codePointAt(from));
        out.append(Strings.upper(text.substring(from, from + first)));
        out.append(Strings.lower(text.substring(from + first, to)));
      }
      while (to < text.length() && startsWord(text.charAt(to))) {
        out.append(text.charAt(to++));
      }
      from = to;
    }
    return out.toString();
  }

  private static boolean startsWord(char c) {
    return "-({[<".indexOf(c) >= 0 || Strings.isSpace(c);
  }

  private static long words(String text) {
    long words = 0;
    boolean inWord = false;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      boolean letter = c == '_' || Methods.isAll(Character.toString(c), "isalnum");
      words += letter && !inWord ? 1 : 0;
      inWord = letter;
    }
    return words;
  }

  private static String indent(String text, Arguments arguments) {
    @Nullable Object[] of = arguments.bind("indent", 0, "width", "first", "blank");
    String given = of[0] == Values.ABSENT ? null : Values.text(of[0]);
    String blanks = given != null ? given : Strings.pad("", " ", Methods.whole(of[0], 4), 0);
    StringBuilder out = new StringBuilder(isTrue(of[1]) ? blanks : "");
    List<@Nullable Object> lines = Strings.lines(text + "\n", false);
    for (int i = 0; i < lines.size(); i++) {
      String line = Repr.str(lines.get(i));
      out.append(i == 0 ? "" : "\n")
          .append(i > 0 && (isTrue(of[2]) || !line.isEmpty()) ? blanks : "");
      out.append(line);
      Interpreter.checkText(out.length());
    }
    return out.toString();
  }

  private static @Nullable Object truncate(@Nullable Object value, Arguments arguments) {
    @Nullable Object[] of = arguments.bind("truncate", 0, "length", "killwords", "end", "leeway");
    int length = Methods.whole(of[0], 255);
    String end = of[2] == Values.ABSENT ? "..." : Methods.string(of[2]);
    int leeway = of[3] == null ? 5 : Methods.whole(of[3], 5);
    int kept = length - Strings.length(end);
    if (kept < 0 || leeway < 0) {
      throw type("expected length >= %d, got %d", Strings.length(end), length);
    }
    if (Access.length(value) <= (long) length + leeway) {
      return value;
    }
    String text = Methods.string(value);
    String head = Strings.substring(text, 0, kept);
    int blank = isTrue(of[1]) ? -1 : head.lastIndexOf(' ');
    return (blank < 0 ? head : head.substring(0, blank)) + end;
  }
}
