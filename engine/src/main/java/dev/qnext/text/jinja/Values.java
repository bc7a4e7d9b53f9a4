package dev.qnext.text.jinja;

import dev.qnext.text.jinja.TemplateException.Kind;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The values that a template can hold, and nothing else can be reached: null is Python's None;
 * {@link Boolean}, {@link Long} or (beyond its range) {@link BigInteger}, {@link Double}, {@link
 * String}; {@link List}; {@link Map} whose keys are strings or {@link Key}s; and the records here.
 * None of them is ever changed but a {@link Namespace}.
 */
final class Values {
  /** Not given, not there: never a value of a template. */
  static final Object ABSENT = new Object();

  private Values() {}

  record Tuple(List<@Nullable Object> items) {}

  /** A string that the {@code safe} or {@code escape} filter marked: what joins it is escaped. */
  record Markup(String text) {}

  static final class Namespace {
    final Map<Object, @Nullable Object> attributes = new LinkedHashMap<>();
  }

  record Range(long start, long stop, long step, long length) {
    long get(long index) {
      return start + index * step;
    }
  }

  /** What {@code keys}, {@code values} or {@code items} of a dict return. */
  record View(String method, Map<Object, @Nullable Object> of) {}

  /** A Python generator: its items come once. */
  record Lazy(Iterator<@Nullable Object> items) {}

  /** Can be printed (as nothing), tested and iterated; any other use fails with its message. */
  record Undefined(
      @Nullable String hint, @Nullable Object of, @Nullable Object name, boolean unsafe) {
    static Undefined variable(String name) {
      return new Undefined(null, ABSENT, name, false);
    }

    static Undefined because(String hint) {
      return new Undefined(hint, ABSENT, null, false);
    }

    private static String module(Object value) {
      if (value instanceof Namespace) {
        return "transformers.utils.chat_template_utils.";
      } else if (value instanceof Markup) {
        return "markupsafe.";
      }
      return value instanceof Loop || value instanceof Macro ? "jinja2.runtime." : "";
    }

    TemplateException failure() {
      String message;
      if (hint != null) {
        message = hint;
      } else if (of == ABSENT) {
        message = Repr.repr(name) + " is undefined";
      } else {
        String type = of == null ? "None" : module(of) + typeName(of) + " object";
        message =
            name instanceof String
                ? "'" + type + "' has no attribute " + Repr.repr(name)
                : type + " has no element " + Repr.repr(name);
      }
      return new TemplateException(unsafe ? Kind.SECURITY : Kind.UNDEFINED, message);
    }
  }

  interface Function {
    @Nullable Object call(Interpreter in, Arguments arguments);
  }

  /** A method of a built-in value, bound to it. */
  record Method(Object self, String name) implements Function {
    @Override
    public @Nullable Object call(Interpreter in, Arguments arguments) {
      return Methods.call(in, self, name, arguments);
    }

    @Override
    public String toString() {
      return "<built-in method " + name + " of " + typeName(self) + " object>";
    }
  }

  /** A dict's key that is not a string; equal where Python's keys are: 1, 1.0 and True are one. */
  static final class Key {
    final @Nullable Object value;
    private final Object canonical;

    private Key(@Nullable Object value, Object canonical) {
      this.value = value;
      this.canonical = canonical;
    }

    /** Equal to nothing but the same object; its own equality could take very long. */
    private record Same(Object value) {
      @Override
      public boolean equals(@Nullable Object other) {
        return other instanceof Same same && same.value == value;
      }

      @Override
      public int hashCode() {
        return System.identityHashCode(value);
      }
    }

    /** A string stays itself. */
    static Object of(Interpreter in, @Nullable Object value) {
      if (value instanceof String) {
        return value;
      }
      Object canonical = canonical(in, value);
      return canonical instanceof String text ? text : new Key(value, canonical);
    }

    static @Nullable Object value(Object key) {
      return key instanceof Key k ? k.value : key;
    }

    private static Object canonical(Interpreter in, @Nullable Object value) {
      in.enter();
      Object result = value == null ? Key.class : value;
      if (value instanceof Markup markup) {
        result = markup.text();
      } else if (value instanceof Boolean flag) {
        result = flag ? 1L : 0L;
      } else if (value instanceof Double d && d == Math.rint(d) && !d.isInfinite()) {
        result = Numbers.normal(new BigDecimal(d).toBigInteger());
      } else if (value instanceof Undefined) {
        result = Undefined.class;
      } else if (value instanceof Tuple tuple) {
        List<Object> items = new ArrayList<>();
        for (Object item : tuple.items()) {
          items.add(canonical(in, item));
        }
        result = items;
      } else if (value instanceof List || value instanceof Map) {
        throw TemplateException.type("unhashable type: '%s'", typeName(value));
      } else if (value instanceof Function || value instanceof View || value instanceof Lazy) {
        result = new Same(value);
      }
      in.leave();
      return result;
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Key key && key.canonical.equals(canonical);
    }

    @Override
    public int hashCode() {
      return canonical.hashCode();
    }
  }

  @SuppressWarnings("unchecked")
  static List<@Nullable Object> list(Object value) {
    return (List<@Nullable Object>) value;
  }

  @SuppressWarnings("unchecked")
  static Map<Object, @Nullable Object> map(Object value) {
    return (Map<Object, @Nullable Object>) value;
  }

  /** The text of a string, marked or not; null for any other value. */
  static @Nullable String text(@Nullable Object value) {
    return value instanceof String s ? s : value instanceof Markup m ? m.text() : null;
  }

  /** The items of a list or tuple; null for any other value. */
  static @Nullable List<@Nullable Object> sequence(@Nullable Object value) {
    return value instanceof List ? list(value) : value instanceof Tuple t ? t.items() : null;
  }

  /** A copy of a caller's value in the types above; what has no such form is refused. */
  static @Nullable Object adopt(@Nullable Object value, int depth) {
    if (depth > Repr.MAX_DEPTH) {
      throw TemplateException.limit("a variable is nested too deeply");
    }
    if (value instanceof Map<?, ?> map) {
      Map<Object, @Nullable Object> copy = new LinkedHashMap<>();
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        copy.put(String.valueOf(entry.getKey()), adopt(entry.getValue(), depth + 1));
      }
      return copy;
    }
    if (value instanceof Iterable<?> items) {
      List<@Nullable Object> copy = new ArrayList<>();
      for (Object item : items) {
        copy.add(adopt(item, depth + 1));
      }
      return copy;
    }
    if (value instanceof BigInteger big) {
      return Numbers.normal(big);
    }
    if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
      return ((Number) value).longValue();
    }
    if (value instanceof Float || value instanceof BigDecimal) {
      return ((Number) value).doubleValue();
    }
    if (value == null
        || value instanceof String
        || value instanceof Boolean
        || value instanceof Long
        || value instanceof Double) {
      return value;
    }
    throw TemplateException.type(
        "a variable has the type %s, which JSON has not", value.getClass());
  }

  /** The name of a value's type in Python's messages. */
  static String typeName(@Nullable Object value) {
    if (value == null) {
      return "NoneType";
    } else if (value instanceof String) {
      return "str";
    } else if (value instanceof Boolean) {
      return "bool";
    } else if (value instanceof Long || value instanceof BigInteger) {
      return "int";
    } else if (value instanceof Double) {
      return "float";
    } else if (value instanceof List) {
      return "list";
    } else if (value instanceof Map) {
      return "dict";
    } else if (value instanceof View view) {
      return "dict_" + view.method();
    } else if (value instanceof Lazy) {
      return "generator";
    } else if (value instanceof Method) {
      return "builtin_function_or_method";
    } else if (value instanceof Namespace) {
      return "TemplateNamespace";
    } else if (value instanceof Loop) {
      return "LoopContext";
    } else if (value instanceof Globals.Builtin) {
      return "function";
    }
    String name = value.getClass().getSimpleName();
    return value instanceof Tuple || value instanceof Range ? Strings.lower(name) : name;
  }
}
