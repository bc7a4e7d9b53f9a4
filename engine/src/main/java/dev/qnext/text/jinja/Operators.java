package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Key;
import dev.qnext.text.jinja.Values.Lazy;
import dev.qnext.text.jinja.Values.Markup;
import dev.qnext.text.jinja.Values.Range;
import dev.qnext.text.jinja.Values.Tuple;
import dev.qnext.text.jinja.Values.Undefined;
import dev.qnext.text.jinja.Values.View;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's operators: truth, comparison, membership and arithmetic over all types. */
final class Operators {
  private Operators() {}

  static boolean truth(@Nullable Object value) {
    if (value instanceof Boolean flag) {
      return flag;
    }
    Number number = Numbers.of(value);
    if (number != null) {
      return number.doubleValue() != 0;
    }
    String text = Values.text(value);
    if (text != null) {
      return !text.isEmpty();
    }
    boolean loop = value instanceof Loop;
    return value != null && (loop || !Access.hasLength(value) || Access.length(value) > 0);
  }

  static boolean equal(Interpreter in, @Nullable Object a, @Nullable Object b) {
    in.enter();
    boolean result = equals(in, a, b);
    in.leave();
    return result;
  }

  private static boolean equals(Interpreter in, @Nullable Object a, @Nullable Object b) {
    Number x = Numbers.of(a);
    Number y = Numbers.of(b);
    if (x != null && y != null) {
      return Numbers.compare(x, y) == 0;
    }
    String text = Values.text(a);
    if (text != null) {
      in.charge(text);
      return text.equals(Values.text(b));
    }
    List<@Nullable Object> items = Values.sequence(a);
    if (items != null) {
      List<@Nullable Object> others = Values.sequence(b);
      return others != null
          && a instanceof Tuple == b instanceof Tuple
          && items.size() == others.size()
          && different(in, items, others) < 0;
    }
    if (a instanceof Map && b instanceof Map) {
      return sameEntries(in, Values.map(a), Values.map(b));
    }
    return a == b
        || (a instanceof Undefined && b instanceof Undefined)
        || (a instanceof Range && a.equals(b));
  }

  private static boolean sameEntries(
      Interpreter in, Map<Object, @Nullable Object> a, Map<Object, @Nullable Object> b) {
    boolean same = a.size() == b.size();
    for (Iterator<Map.Entry<Object, @Nullable Object>> it = a.entrySet().iterator();
        same && it.hasNext(); ) {
      Map.Entry<Object, @Nullable Object> entry = it.next();
      same = b.containsKey(entry.getKey()) && equal(in, entry.getValue(), b.get(entry.getKey()));
    }
    return same;
  }

  /** The first place where two sequences differ, -1 where one begins with the other. */
  private static int different(Interpreter in, List<@Nullable Object> a, List<@Nullable Object> b) {
    int end = Math.min(a.size(), b.size());
    for (int i = 0; i < end; i++) {
      if (!equal(in, a.get(i), b.get(i))) {
        return i;
      }
    }
    return -1;
  }

  /** {@code operator} is one of == != < <= > >= in, "not in". */
  static boolean compare(Interpreter in, String operator, @Nullable Object a, @Nullable Object b) {
    switch (operator) {
      case "==":
        return equal(in, a, b);
      case "!=":
        return !equal(in, a, b);
      case "in":
        return contains(in, b, a);
      case "not in":
        return !contains(in, b, a);
      default:
        in.enter();
        boolean result = ordered(in, operator, a, b);
        in.leave();
        return result;
    }
  }

  private static boolean ordered(
      Interpreter in, String operator, @Nullable Object a, @Nullable Object b) {
    Number x = Numbers.of(a);
    Number y = Numbers.of(b);
    if (x != null && y != null) {
      int order = Numbers.compare(x, y);
      return order != Numbers.UNORDERED && holds(operator, order);
    }
    String text = Values.text(a);
    String other = Values.text(b);
    if (text != null && other != null) {
      in.charge(text);
      return holds(operator, Strings.compare(text, other));
    }
    List<@Nullable Object> items = Values.sequence(a);
    List<@Nullable Object> others = Values.sequence(b);
    if (items != null && others != null && a instanceof Tuple == b instanceof Tuple) {
      int at = different(in, items, others);
      return at < 0
          ? holds(operator, Integer.compare(items.size(), others.size()))
          : compare(in, operator, items.get(at), others.get(at));
    }
    refuseUndefined(a, b);
    throw type(
        "'%s' not supported between instances of '%s' and '%s'",
        operator, Values.typeName(a), Values.typeName(b));
  }

  private static boolean holds(String operator, int order) {
    return switch (operator) {
      case "<" -> order < 0;
      case "<=" -> order <= 0;
      case ">" -> order > 0;
      default -> order >= 0;
    };
  }

  static boolean contains(Interpreter in, @Nullable Object container, @Nullable Object item) {
    String text = Values.text(container);
    if (text != null) {
      String part = Values.text(item);
      if (part == null) {
        throw type("'in <string>' requires string as left operand, not %s", Values.typeName(item));
      }
      in.chargeSearch(text, part);
      return text.contains(part);
    }
    if (container instanceof Map) {
      return Values.map(container).containsKey(Key.of(in, item));
    }
    if (container instanceof View view && view.method().equals("keys")) {
      return view.of().containsKey(Key.of(in, item));
    }
    if (!(container instanceof Lazy) && !Access.hasLength(container)) {
      throw type("argument of type '%s' is not iterable", Values.typeName(container));
    }
    for (Iterator<@Nullable Object> it = Access.iterate(in, container); it.hasNext(); ) {
      Object candidate = it.next();
      if (candidate == item || equal(in, candidate, item)) {
        return true;
      }
    }
    return false;
  }

  /** {@code operator} is one of + - * / // % **. */
  static @Nullable Object binary(
      Interpreter in, String operator, @Nullable Object a, @Nullable Object b) {
    Number x = Numbers.of(a);
    Number y = Numbers.of(b);
    if (x != null && y != null) {
      return Numbers.binary(in, operator, x, y);
    }
    if (operator.equals("%") && Values.text(a) != null) {
      return PercentFormat.format(a, b);
    }
    refuseUndefined(a, b);
    Object result = null;
    if (operator.equals("+")) {
      result = sum(a, b);
    } else if (operator.equals("*")) {
      result = y != null ? repeat(a, b) : x != null ? repeat(b, a) : null;
    }
    if (result == null) {
      throw type(
          "unsupported operand type(s) for %s: '%s' and '%s'",
          operator.equals("**") ? "** or pow()" : operator, Values.typeName(a), Values.typeName(b));
    }
    return result;
  }

  private static void refuseUndefined(@Nullable Object a, @Nullable Object b) {
    if (a instanceof Undefined undefined) {
      throw undefined.failure();
    } else if (b instanceof Undefined undefined) {
      throw undefined.failure();
    }
  }

  private static @Nullable Object sum(@Nullable Object a, @Nullable Object b) {
    String left = Values.text(a);
    String right = Values.text(b);
    if (left != null && right != null) {
      Interpreter.checkText((long) left.length() + right.length());
      boolean marked = a instanceof Markup || b instanceof Markup;
      return marked
          ? new Markup(Methods.escaped(a).concat(Methods.escaped(b)))
          : left.concat(right);
    }
    List<@Nullable Object> items = Values.sequence(a);
    List<@Nullable Object> others = Values.sequence(b);
    if (items != null && others != null && a instanceof Tuple == b instanceof Tuple) {
      List<@Nullable Object> result = new ArrayList<>(items.size() + others.size());
      result.addAll(items);
      result.addAll(others);
      return a instanceof Tuple ? new Tuple(result) : result;
    }
    if (left != null || items != null) {
      String type = Values.typeName(a);
      throw type("can only concatenate %s (not \"%s\") to %s", type, Values.typeName(b), type);
    }
    return null;
  }

  private static @Nullable Object repeat(@Nullable Object value, @Nullable Object times) {
    String text = Values.text(value);
    List<@Nullable Object> items = Values.sequence(value);
    if ((text == null && items == null) || !Numbers.isWhole(times)) {
      return null;
    }
    int count = Math.max(Methods.whole(times, 0), 0);
    if (text != null) {
      Interpreter.checkText((long) text.length() * count);
      String repeated = text.isEmpty() ? "" : text.repeat(count);
      return value instanceof Markup ? new Markup(repeated) : repeated;
    }
    long size = items == null ? 0 : (long) items.size() * count;
    Interpreter.checkItems(size);
    List<@Nullable Object> result = new ArrayList<>((int) size);
    while (items != null && result.size() < size) {
      result.addAll(items);
    }
    return value instanceof Tuple ? new Tuple(result) : result;
  }

  static Object sign(@Nullable Object value, boolean minus) {
    Number number = Numbers.of(value);
    if (number == null) {
      refuseUndefined(value, null);
      String sign = minus ? "-" : "+";
      throw type("bad operand type for unary %s: '%s'", sign, Values.typeName(value));
    }
    return minus ? Numbers.negate(number) : number;
  }
}
