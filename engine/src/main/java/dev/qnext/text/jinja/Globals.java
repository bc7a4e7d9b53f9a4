package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.TemplateException.Kind;
import dev.qnext.text.jinja.Values.Function;
import dev.qnext.text.jinja.Values.Key;
import dev.qnext.text.jinja.Values.Namespace;
import dev.qnext.text.jinja.Values.Range;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The functions every template has: those of jinja2 and those transformers adds for chats. */
final class Globals {
  /** The sandbox's limit. */
  private static final int MAX_RANGE = 100_000;

  private Globals() {}

  record Builtin(String name) implements Function {
    @Override
    public @Nullable Object call(Interpreter in, Arguments arguments) {
      return switch (name) {
        case "range" -> range(arguments);
        case "dict" -> in.made(dict(in, arguments));
        case "fromkeys" -> in.made(fromKeys(in, arguments));
        case "namespace" -> namespace(in, arguments);
        case "strftime_now" ->
            Strftime.format(in.now(), Methods.string(arguments.bind(name, 1, "format")[0]));
        default ->
            throw new TemplateException(
                Kind.RAISE_EXCEPTION, Repr.str(arguments.bind(name, 1, "message")[0]));
      };
    }

    @Nullable Object property(String property) {
      boolean known = name.equals("dict") && property.equals("fromkeys");
      return known ? new Builtin(property) : Values.ABSENT;
    }
  }

  static Object find(String name) {
    return switch (name) {
      case "range", "dict", "namespace", "raise_exception", "strftime_now" -> new Builtin(name);
      default -> Values.ABSENT;
    };
  }

  private static Range range(Arguments arguments) {
    List<@Nullable Object> of = arguments.positional();
    if (!arguments.keywords().isEmpty() || of.isEmpty() || of.size() > 3) {
      throw type("range expected 1 to 3 arguments, got %d", of.size());
    }
    long start = of.size() == 1 ? 0 : Methods.whole(of.get(0), 0);
    long stop = Methods.whole(of.get(of.size() == 1 ? 0 : 1), 0);
    long step = of.size() < 3 ? 1 : Methods.whole(of.get(2), 0);
    if (step == 0) {
      throw type("range() arg 3 must not be zero");
    }
    boolean none = step > 0 ? start >= stop : start <= stop;
    long length = none ? 0 : (Math.abs(stop - start) + Math.abs(step) - 1) / Math.abs(step);
    if (length > MAX_RANGE) {
      throw type("Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", MAX_RANGE);
    }
    return new Range(start, stop, step, length);
  }

  /** Python's {@code dict(mapping or pairs, **names)}. */
  private static Map<Object, @Nullable Object> dict(Interpreter in, Arguments arguments) {
    Map<Object, @Nullable Object> map = new LinkedHashMap<>();
    if (arguments.positional().size() > 1) {
      throw type("dict expected at most 1 argument, got %d", arguments.positional().size());
    }
    if (!arguments.positional().isEmpty()) {
      Object from = arguments.positional().getFirst();
      if (from instanceof Map) {
        map.putAll(Values.map(from));
      } else {
        for (Iterator<@Nullable Object> it = Access.iterate(in, from); it.hasNext(); ) {
          List<@Nullable Object> pair = Access.toList(in, it.next());
          if (pair.size() != 2) {
            throw type(
                "dictionary update sequence element has length %d; 2 is required", pair.size());
          }
          map.put(Key.of(in, pair.get(0)), pair.get(1));
        }
      }
    }
    map.putAll(arguments.keywords());
    return map;
  }

  static Map<Object, @Nullable Object> fromKeys(Interpreter in, Arguments arguments) {
    @Nullable Object[] of = arguments.bind("fromkeys", 1, "iterable", "value");
    Map<Object, @Nullable Object> map = new LinkedHashMap<>();
    for (Iterator<@Nullable Object> it = Access.iterate(in, of[0]); it.hasNext(); ) {
      map.put(Key.of(in, it.next()), of[1] == Values.ABSENT ? null : of[1]);
    }
    return map;
  }

  private static Namespace namespace(Interpreter in, Arguments arguments) {
    Namespace namespace = new Namespace();
    for (Map.Entry<Object, @Nullable Object> entry : dict(in, arguments).entrySet()) {
      if (entry.getKey() instanceof String name) {
        checkAttribute(name);
      }
      namespace.attributes.put(entry.getKey(), entry.getValue());
    }
    return namespace;
  }

  static void checkAttribute(String name) {
    if (name.startsWith("_")) {
      throw new TemplateException(
          Kind.SECURITY,
          "Chat templates cannot store underscore-prefixed attributes on a namespace, but got "
              + Repr.repr(name)
              + ". Please rename the attribute.");
    }
  }
}
