package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Key;
import dev.qnext.text.jinja.Values.Markup;
import dev.qnext.text.jinja.Values.Range;
import dev.qnext.text.jinja.Values.Tuple;
import dev.qnext.text.jinja.Values.View;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The methods of strings, lists, tuples and dicts that do not change them. */
final class Methods {
  private static final Set<String> OF_STRINGS =
      Set.of(
          ("strip lstrip rstrip split rsplit splitlines startswith endswith upper lower casefold title"
                  + " capitalize swapcase replace find rfind index rindex count join partition"
                  + " rpartition removeprefix removesuffix zfill center ljust rjust expandtabs format"
                  + " format_map isalpha isdigit isdecimal isnumeric isalnum isspace isupper islower"
                  + " istitle isidentifier isprintable isascii")
              .split(" "));
  private static final Set<String> OF_DICTS =
      Set.of("get", "items", "keys", "values", "copy", "fromkeys");
  private static final Set<String> OF_LISTS = Set.of("index", "count", "copy");
  private static final Set<String> CHANGING_DICTS =
      Set.of("clear", "pop", "popitem", "setdefault", "update");
  private static final Set<String> CHANGING_LISTS =
      Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");

  private Methods() {}

  static boolean exists(Object self, String name) {
    if (Values.text(self) != null) {
      return OF_STRINGS.contains(name);
    } else if (self instanceof Map) {
      return OF_DICTS.contains(name);
    } else if (self instanceof Tuple || self instanceof Range) {
      return name.equals("index") || name.equals("count");
    }
    return (self instanceof List && OF_LISTS.contains(name))
        || (self instanceof Double && name.equals("is_integer"));
  }

  /** Whether the sandbox hides it: private, or it would change the value. */
  static boolean isUnsafe(Object self, String name) {
    return (name.startsWith("__") && name.endsWith("__"))
        || (self instanceof Map && CHANGING_DICTS.contains(name))
        || (self instanceof List && CHANGING_LISTS.contains(name));
  }

  static @Nullable Object call(Interpreter in, Object self, String name, Arguments arguments) {
    in.charge(self);
    String text = Values.text(self);
    if (text != null) {
      Object result = ofString(in, text, name, arguments, self instanceof Markup);
      return in.made(self instanceof Markup ? marked(result) : result);
    }
    List<@Nullable Object> items =
        self instanceof Range ? Access.toList(in, self) : Values.sequence(self);
    if (items != null) {
      return in.made(ofSequence(in, self, items, name, arguments));
    }
    return self instanceof Double d
        ? d == Math.rint(d)
        : in.made(ofDict(in, Values.map(self), name, arguments));
  }

  private static @Nullable Object marked(@Nullable Object value) {
    if (value instanceof String text) {
      return new Markup(text);
    }
    List<@Nullable Object> items = Values.sequence(value);
    if (items == null) {
      return value;
    }
    List<@Nullable Object> result = new ArrayList<>();
    for (Object item : items) {
      result.add(marked(item));
    }
    return value instanceof Tuple ? new Tuple(result) : result;
  }

  private static @Nullable Object ofDict(
      Interpreter in, Map<Object, @Nullable Object> map, String name, Arguments arguments) {
    switch (name) {
      case "get":
        @Nullable Object[] get = arguments.bind(name, 1, "key", "default");
        Object value = map.getOrDefault(Key.of(in, get[0]), Values.ABSENT);
        return value != Values.ABSENT ? value : get[1] == Values.ABSENT ? null : get[1];
      case "copy":
        arguments.bind(name, 0);
        return new LinkedHashMap<>(map);
      case "fromkeys":
        return Globals.fromKeys(in, arguments);
      default:
        arguments.bind(name, 0);
        return new View(name, map);
    }
  }

  private static @Nullable Object ofSequence(
      Interpreter in, Object self, List<@Nullable Object> items, String name, Arguments arguments) {
    if (name.equals("copy")) {
      return self;
    }
    @Nullable Object[] of = arguments.bind(name, 1, "value", "start", "stop");
    long count = 0;
    int from = name.equals("count") ? 0 : place(of[1], items.size(), 0);
    int to = name.equals("count") ? items.size() : place(of[2], items.size(), items.size());
    for (int i = from; i < to; i++) {
      if (Operators.equal(in, items.get(i), of[0])) {
        if (name.equals("index")) {
          return (long) i;
        }
        count++;
      }
    }
    if (name.equals("index")) {
      throw type("%s is not in list", Repr.repr(of[0]));
    }
    return count;
  }

  private static @Nullable Object ofString(
      Interpreter in, String text, String name, Arguments arguments, boolean markup) {
    switch (name) {
      case "strip":
      case "lstrip":
      case "rstrip":
        String characters = optional(arguments.bind(name, 0, "chars")[0]);
        boolean left = !name.equals("rstrip");
        return stripped(in, text, characters, left, !name.equals("lstrip"));
      case "split":
      case "rsplit":
        @Nullable Object[] split = arguments.bind(name, 0, "sep", "maxsplit");
        String separator = optional(split[0]);
        if (separator != null && separator.isEmpty()) {
          throw type("empty separator");
        }
        in.chargeSearch(text, separator);
        int limit = whole(split[1], -1);
        return name.equals("split")
            ? Strings.split(text, separator, limit)
            : Strings.splitRight(text, separator, limit);
      case "splitlines":
        Object keep = arguments.bind(name, 0, "keepends")[0];
        return Strings.lines(text, keep != Values.ABSENT && Operators.truth(keep));
      case "startswith":
      case "endswith":
        return fits(in, text, name, arguments);
      case "upper":
      case "lower":
      case "casefold":
      case "title":
      case "capitalize":
      case "swapcase":
        arguments.bind(name, 0);
        return cased(text, name);
      case "replace":
        @Nullable Object[] replace = arguments.bind(name, 2, "old", "new", "count");
        String with = markup ? escaped(replace[1]) : string(replace[1]);
        in.chargeSearch(text, string(replace[0]));
        return Strings.replace(text, string(replace[0]), with, whole(replace[2], -1));
      case "find":
      case "rfind":
      case "index":
      case "rindex":
      case "count":
        return search(in, text, name, arguments);
      case "join":
        return join(in, text, arguments.bind(name, 1, "iterable")[0], markup);
      case "partition":
      case "rpartition":
        String sep = string(arguments.bind(name, 1, "sep")[0]);
        in.chargeSearch(text, sep);
        return partition(text, sep, name.equals("rpartition"));
      case "removeprefix":
        String prefix = string(arguments.bind(name, 1, "prefix")[0]);
        return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
      case "removesuffix":
        String suffix = string(arguments.bind(name, 1, "suffix")[0]);
        return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
      case "zfill":
        int zeros = whole(arguments.bind(name, 1, "width")[0], 0) - Strings.length(text);
        boolean signed = text.startsWith("-") || text.startsWith("+");
        String sign = signed ? text.substring(0, 1) : "";
        return sign + Strings.pad(signed ? text.substring(1) : text, "0", zeros, 0);
      case "center":
      case "ljust":
      case "rjust":
        @Nullable Object[] pad = arguments.bind(name, 1, "width", "fillchar");
        String fill = pad[1] == Values.ABSENT ? " " : markup ? escaped(pad[1]) : string(pad[1]);
        return justified(text, name, whole(pad[0], 0), fill);
      case "expandtabs":
        return Strings.expandTabs(text, whole(arguments.bind(name, 0, "tabsize")[0], 8));
      case "format":
        return BraceFormat.format(in, text, arguments.positional(), arguments.keywords(), markup);
      case "format_map":
        Object map = arguments.bind(name, 1, "mapping")[0];
        if (!(map instanceof Map)) {
          throw type("'%s' object is not a mapping", Values.typeName(map));
        }
        return BraceFormat.format(in, text, List.of(), Values.map(map), markup);
      default:
        arguments.bind(name, 0);
        return isAll(text, name);
    }
  }

  static String stripped(
      Interpreter in, String text, @Nullable String characters, boolean left, boolean right) {
    // Each character at the ends is looked for among the given ones.
    in.step(characters == null ? 0 : (long) text.length() * characters.length() >> 12);
    return Strings.strip(text, characters, left, right);
  }

  static String cased(String text, String name) {
    return switch (name) {
      case "upper" -> Strings.upper(text);
      case "lower" -> Strings.lower(text);
      case "casefold" -> Strings.lower(Strings.upper(text));
      case "title" -> Strings.title(text);
      case "capitalize" -> Strings.capitalize(text);
      default -> Strings.swapCase(text);
    };
  }

  static String justified(String text, String name, int width, String fill) {
    int blanks = Math.max(width - Strings.length(text), 0);
    // Python puts the odd blank of an odd width on the left.
    int left = name.equals("center") ? blanks / 2 + (blanks & width & 1) : blanks;
    return switch (name) {
      case "center" -> Strings.pad(text, fill, left, blanks - left);
      case "ljust" -> Strings.pad(text, fill, 0, blanks);
      default -> Strings.pad(text, fill, blanks, 0);
    };
  }

  static String join(Interpreter in, String separator, @Nullable Object items, boolean markup) {
    StringBuilder out = new StringBuilder();
    int index = 0;
    for (var it = Access.iterate(in, items); it.hasNext(); index++) {
      Object item = it.next();
      if (!markup && Values.text(item) == null) {
        throw type(
            "sequence item %d: expected str instance, %s found", index, Values.typeName(item));
      }
      out.append(index == 0 ? "" : separator).append(markup ? escaped(item) : Repr.str(item));
      Interpreter.checkText(out.length());
    }
    return out.toString();
  }

  /** The text of a marked string as it is, that of any other value with HTML's signs escaped. */
  static String escaped(@Nullable Object value) {
    return value instanceof Markup m ? m.text() : Strings.escapeHtml(Repr.str(value));
  }

  private static boolean fits(Interpreter in, String text, String name, Arguments arguments) {
    @Nullable Object[] of = arguments.bind(name, 1, "prefix", "start", "end");
    int length = Strings.length(text);
    int from = place(of[1], length, 0);
    int to = place(of[2], length, length);
    if (of[0] instanceof Tuple tuple) {
      boolean any = false;
      for (Object option : tuple.items()) {
        in.charge(option);
        any |= fits(text, name, string(option), from, to);
      }
      return any;
    }
    return fits(text, name, string(of[0]), from, to);
  }

  private static boolean fits(String text, String name, String part, int from, int to) {
    if (from > to) {
      return false;
    }
    String within = from == 0 && to >= text.length() ? text : Strings.substring(text, from, to);
    return name.equals("startswith") ? within.startsWith(part) : within.endsWith(part);
  }

  private static Object search(Interpreter in, String text, String name, Arguments arguments) {
    @Nullable Object[] of = arguments.bind(name, 1, "sub", "start", "end");
    String part = string(of[0]);
    in.chargeSearch(text, part);
    int length = Strings.length(text);
    int from = place(of[1], length, 0);
    int to = place(of[2], length, length);
    String within = from <= to ? Strings.substring(text, from, to) : "";
    if (name.equals("count")) {
      return from <= to ? (long) Strings.count(within, part) : 0L;
    }
    int at = name.startsWith("r") ? within.lastIndexOf(part) : within.indexOf(part);
    if (at < 0 || from > to) {
      if (name.endsWith("index")) {
        throw type("substring not found");
      }
      return -1L;
    }
    return (long) from + within.codePointCount(0, at);
  }

  private static Tuple partition(String text, String separator, boolean last) {
    if (separator.isEmpty()) {
      throw type("empty separator");
    }
    int at = last ? text.lastIndexOf(separator) : text.indexOf(separator);
    if (at < 0) {
      return new Tuple(last ? List.of("", "", text) : List.of(text, "", ""));
    }
    return new Tuple(
        List.of(text.substring(0, at), separator, text.substring(at + separator.length())));
  }

  static boolean isAll(String text, String name) {
    switch (name) {
      case "isidentifier":
        return Strings.isIdentifier(text);
      case "isupper":
      case "islower":
        String other = name.equals("isupper") ? "islower" : "isupper";
        boolean cased = false;
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
          int c = text.codePointAt(i);
          cased |= is(c, name);
          if (is(c, other) || Character.isTitleCase(c)) {
            return false;
          }
        }
        return cased;
      case "istitle":
        return text.equals(Strings.title(text)) && !text.equals(Strings.lower(text));
      default:
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
          if (!is(text.codePointAt(i), name)) {
            return false;
          }
        }
        return !text.isEmpty() || name.equals("isascii") || name.equals("isprintable");
    }
  }

  private static boolean is(int c, String name) {
    return switch (name) {
      case "isupper" -> Character.isUpperCase(c);
      case "islower" -> Character.isLowerCase(c);
      case "isalpha" -> Character.isLetter(c);
      case "isdecimal" -> Character.isDigit(c);
      case "isdigit" -> {
        boolean sign = Character.getType(c) == Character.OTHER_NUMBER;
        int value = Character.getNumericValue(c);
        yield Character.isDigit(c) || (sign && value >= 0 && value < 10);
      }
      case "isnumeric" -> {
        int kind = Character.getType(c);
        yield Character.isDigit(c)
            || kind == Character.OTHER_NUMBER
            || kind == Character.LETTER_NUMBER;
      }
      case "isalnum" -> Character.isLetter(c) || is(c, "isnumeric");
      case "isspace" -> Strings.isSpace(c);
      case "isascii" -> c < 128;
      default -> Strings.isPrintable(c);
    };
  }

  /** A place given as an optional argument, as slices read it: negative from the end, clamped. */
  private static int place(@Nullable Object value, int length, int otherwise) {
    if (value == null || value == Values.ABSENT) {
      return otherwise;
    }
    int at = whole(value, 0);
    // Past the end stays past the end: even an empty string is not found there.
    return at < 0 ? Math.max(at + length, 0) : otherwise == length ? Math.min(at, length) : at;
  }

  static int whole(@Nullable Object value, int otherwise) {
    if (value == Values.ABSENT) {
      return otherwise;
    }
    Number number = Numbers.of(value);
    if (number == null || number instanceof Double) {
      throw type("'%s' object cannot be interpreted as an integer", Values.typeName(value));
    }
    if (number instanceof BigInteger) {
      throw type("Python int too large to convert to C ssize_t");
    }
    return Numbers.clamp(number);
  }

  static String string(@Nullable Object value) {
    String text = Values.text(value);
    if (text == null) {
      throw type("a str is needed, not '%s'", Values.typeName(value));
    }
    return text;
  }

  private static @Nullable String optional(@Nullable Object value) {
    return value == null || value == Values.ABSENT ? null : string(value);
  }
}
