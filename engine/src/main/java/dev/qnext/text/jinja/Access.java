package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Key;
import dev.qnext.text.jinja.Values.Lazy;
import dev.qnext.text.jinja.Values.Markup;
import dev.qnext.text.jinja.Values.Method;
import dev.qnext.text.jinja.Values.Namespace;
import dev.qnext.text.jinja.Values.Range;
import dev.qnext.text.jinja.Values.Tuple;
import dev.qnext.text.jinja.Values.Undefined;
import dev.qnext.text.jinja.Values.View;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** How templates look into values: attributes, items, slices, iteration, length. */
final class Access {
  private Access() {}

  /** {@code value.name}: a method or property if there is one, else the item of that name. */
  static @Nullable Object attribute(@Nullable Object value, String name) {
    Object found = member(value, name);
    if (found == Values.ABSENT && value instanceof Map) {
      found = Values.map(value).getOrDefault(name, Values.ABSENT);
    }
    return found == Values.ABSENT ? new Undefined(null, value, name, false) : found;
  }

  /** {@code value[index]}: the item, else the method or property if the index is a string. */
  static @Nullable Object item(Interpreter in, @Nullable Object value, @Nullable Object index) {
    Object found = element(in, value, index);
    String name = Values.text(index);
    if (found == Values.ABSENT && name != null) {
      found = member(value, name);
    }
    return found == Values.ABSENT
        ? new Undefined(null, value, name == null ? index : name, false)
        : found;
  }

  /** A method or property, {@link Values#ABSENT} if the value has none of that name. */
  static @Nullable Object member(@Nullable Object value, String name) {
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    } else if (value instanceof Namespace namespace) {
      return namespace.attributes.getOrDefault(name, Values.ABSENT);
    } else if (value instanceof Loop loop) {
      return loop.property(name);
    } else if (value instanceof Macro macro) {
      return macro.property(name);
    } else if (value == null) {
      return Values.ABSENT;
    } else if (Methods.exists(value, name)) {
      return new Method(value, name);
    } else if (value instanceof Globals.Builtin builtin) {
      return builtin.property(name);
    } else if (Methods.isUnsafe(value, name)) {
      boolean key = value instanceof Map<?, ?> map && map.containsKey(name) && name.startsWith("_");
      String hint =
          "access to attribute %s of '%s' object is unsafe."
              .formatted(Repr.repr(name), Values.typeName(value));
      return key ? Values.ABSENT : new Undefined(hint, value, name, true);
    }
    return Values.ABSENT;
  }

  private static @Nullable Object element(
      Interpreter in, @Nullable Object value, @Nullable Object index) {
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (value instanceof Map) {
      boolean hashable = !(index instanceof List) && !(index instanceof Map);
      return hashable
          ? Values.map(value).getOrDefault(Key.of(in, index), Values.ABSENT)
          : Values.ABSENT;
    }
    Number number = Numbers.of(index);
    if (number == null || number instanceof Double || number instanceof BigInteger) {
      return Values.ABSENT;
    }
    long at = number.longValue();
    String text = Values.text(value);
    in.charge(text);
    long length = text != null ? Strings.length(text) : size(value);
    at = at < 0 ? at + length : at;
    if (at < 0 || at >= length) {
      return Values.ABSENT;
    }
    if (text != null) {
      String letter = Strings.substring(text, (int) at, (int) at + 1);
      return value instanceof Markup ? new Markup(letter) : letter;
    }
    List<@Nullable Object> items = Values.sequence(value);
    return items != null
        ? items.get((int) at)
        : value instanceof Range r ? r.get(at) : Values.ABSENT;
  }

  /** The length of what has items by number; -1 for any other value. */
  private static long size(@Nullable Object value) {
    List<@Nullable Object> items = Values.sequence(value);
    return items != null ? items.size() : value instanceof Range r ? r.length() : -1;
  }

  /** Python's {@code len}. */
  static long length(@Nullable Object value) {
    String text = Values.text(value);
    if (text != null) {
      return Strings.length(text);
    }
    long size = sized(value);
    if (size < 0) {
      throw type("object of type '%s' has no len()", Values.typeName(value));
    }
    return size;
  }

  private static long sized(@Nullable Object value) {
    if (value instanceof Map<?, ?> map) {
      return map.size();
    } else if (value instanceof View view) {
      return view.of().size();
    } else if (value instanceof Undefined) {
      return 0;
    }
    return value instanceof Loop loop ? loop.length() : size(value);
  }

  static boolean hasLength(@Nullable Object value) {
    return value instanceof Loop || Values.text(value) != null || sized(value) >= 0;
  }

  static boolean isIterable(@Nullable Object value) {
    return hasLength(value) || value instanceof Lazy;
  }

  /** Python's {@code iter}; each item costs a step. */
  static Iterator<@Nullable Object> iterate(Interpreter in, @Nullable Object value) {
    List<@Nullable Object> items = Values.sequence(value);
    if (items != null) {
      return in.counted(items);
    } else if (value instanceof Lazy lazy) {
      return lazy.items();
    } else if (value instanceof Map) {
      return in.counted(keys(Values.map(value)));
    } else if (value instanceof View view) {
      return in.counted(items(view));
    } else if (value instanceof Undefined) {
      return Collections.emptyIterator();
    } else if (value instanceof Range range) {
      return in.counted(numbers(range));
    }
    String text = Values.text(value);
    if (text == null) {
      throw type("'%s' object is not iterable", Values.typeName(value));
    }
    return in.counted(letters(text));
  }

  /** Python's {@code list(value)}. */
  static List<@Nullable Object> toList(Interpreter in, @Nullable Object value) {
    List<@Nullable Object> result = new ArrayList<>();
    for (Iterator<@Nullable Object> it = iterate(in, value); it.hasNext(); ) {
      Interpreter.checkItems(result.size());
      result.add(it.next());
    }
    return result;
  }

  static List<@Nullable Object> keys(Map<Object, @Nullable Object> map) {
    List<@Nullable Object> keys = new ArrayList<>(map.size());
    for (Object key : map.keySet()) {
      keys.add(Key.value(key));
    }
    return keys;
  }

  static List<@Nullable Object> items(View view) {
    if (view.method().equals("keys")) {
      return keys(view.of());
    }
    List<@Nullable Object> items = new ArrayList<>(view.of().size());
    for (Map.Entry<Object, @Nullable Object> entry : view.of().entrySet()) {
      Object value = entry.getValue();
      items.add(view.method().equals("values") ? value : pair(Key.value(entry.getKey()), value));
    }
    return items;
  }

  static Tuple pair(@Nullable Object first, @Nullable Object second) {
    List<@Nullable Object> both = new ArrayList<>(2);
    both.add(first);
    both.add(second);
    return new Tuple(both);
  }

  private static Items numbers(Range range) {
    return new Items() {
      private long index;

      @Override
      @Nullable Object draw() {
        return index < range.length() ? (Object) range.get(index++) : Values.ABSENT;
      }
    };
  }

  private static Items letters(String text) {
    return new Items() {
      private int at;

      @Override
      @Nullable Object draw() {
        int from = at;
        at = from == text.length() ? from : text.offsetByCodePoints(from, 1);
        return at == from ? Values.ABSENT : text.substring(from, at);
      }
    };
  }

  /** {@code value[from:to:step]} of a string, list, tuple or range. */
  static @Nullable Object slice(
      @Nullable Object value, @Nullable Object from, @Nullable Object to, @Nullable Object step) {
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    String text = Values.text(value);
    long size = text != null ? Strings.length(text) : size(value);
    if (size < 0) {
      throw type("'%s' object is not subscriptable", Values.typeName(value));
    }
    long by = bound(step, 1);
    if (by == 0) {
      throw type("slice step cannot be zero");
    }
    long first = by > 0 ? 0 : -1;
    long last = by > 0 ? size : size - 1;
    long begin = place(from, by > 0 ? first : last, size, first, last);
    long end = place(to, by > 0 ? last : first, size, first, last);
    boolean none = by > 0 ? begin >= end : begin <= end;
    long count = none ? 0 : (Math.abs(end - begin) + Math.abs(by) - 1) / Math.abs(by);
    if (text != null) {
      String part = part(text, begin, by, count);
      return value instanceof Markup ? new Markup(part) : part;
    } else if (value instanceof Range range) {
      return new Range(range.get(begin), range.get(end), range.step() * by, count);
    }
    List<@Nullable Object> items = Values.sequence(value);
    List<@Nullable Object> result = new ArrayList<>((int) count);
    for (long i = 0; items != null && i < count; i++) {
      result.add(items.get((int) (begin + i * by)));
    }
    return value instanceof Tuple ? new Tuple(result) : result;
  }

  private static String part(String text, long begin, long by, long count) {
    if (by == 1 || count == 0) {
      return count == 0 ? "" : Strings.substring(text, (int) begin, (int) (begin + count));
    }
    int[] points = text.codePoints().toArray();
    StringBuilder out = new StringBuilder();
    for (long i = 0; i < count; i++) {
      out.appendCodePoint(points[(int) (begin + i * by)]);
    }
    return out.toString();
  }

  private static long place(
      @Nullable Object value, long otherwise, long size, long first, long last) {
    if (value == null) {
      return otherwise;
    }
    long at = bound(value, 0);
    return Math.clamp(at < 0 ? at + size : at, first, last);
  }

  private static long bound(@Nullable Object value, long otherwise) {
    if (value == null) {
      return otherwise;
    }
    Number number = Numbers.of(value);
    if (number == null || number instanceof Double) {
      throw type("slice indices must be integers or None or have an __index__ method");
    }
    return Numbers.clamp(number);
  }
}
