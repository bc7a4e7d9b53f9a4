package dev.qnext.text.jinja;

import dev.qnext.text.jinja.Values.Function;
import dev.qnext.text.jinja.Values.Markup;
import dev.qnext.text.jinja.Values.Undefined;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What stands behind {@code is}. */
final class Tests {
  private static final Set<String> NAMES =
      Set.of(
          ("odd even divisibleby defined undefined none boolean false true integer float lower upper"
                  + " string mapping number sequence iterable callable sameas escaped in filter test"
                  + " == eq equalto != ne > gt greaterthan ge >= < lt lessthan <= le")
              .split(" "));

  private Tests() {}

  static boolean exists(String name) {
    return NAMES.contains(name);
  }

  static boolean call(Interpreter in, String name, @Nullable Object value, Arguments arguments) {
    String operator = operator(name);
    if (!operator.isEmpty()) {
      return Operators.compare(in, operator, value, arguments.bind(name, 1, "other")[0]);
    }
    switch (name) {
      case "divisibleby":
        return isRest(in, value, arguments.bind(name, 1, "num")[0], 0L);
      case "sameas":
        return same(value, arguments.bind(name, 1, "other")[0]);
      case "in":
        return Operators.compare(in, "in", value, arguments.bind(name, 1, "seq")[0]);
      default:
        arguments.bind(name, 0);
        return is(in, name, value);
    }
  }

  private static String operator(String name) {
    return switch (name) {
      case "==", "eq", "equalto" -> "==";
      case "!=", "ne" -> "!=";
      case ">", "gt", "greaterthan" -> ">";
      case ">=", "ge" -> ">=";
      case "<", "lt", "lessthan" -> "<";
      case "<=", "le" -> "<=";
      default -> "";
    };
  }

  private static boolean is(Interpreter in, String name, @Nullable Object value) {
    return switch (name) {
      case "odd" -> isRest(in, value, 2L, 1L);
      case "even" -> isRest(in, value, 2L, 0L);
      case "defined" -> !(value instanceof Undefined);
      case "undefined" -> value instanceof Undefined;
      case "none" -> value == null;
      case "boolean" -> value instanceof Boolean;
      case "true" -> Boolean.TRUE.equals(value);
      case "false" -> Boolean.FALSE.equals(value);
      case "integer" -> Numbers.isWhole(value) && !(value instanceof Boolean);
      case "float" -> value instanceof Double;
      case "number" -> Numbers.of(value) != null;
      case "string" -> Values.text(value) != null;
      case "lower" -> Methods.isAll(Repr.str(value), "islower");
      case "upper" -> Methods.isAll(Repr.str(value), "isupper");
      case "mapping" -> value instanceof Map;
      case "sequence" ->
          Access.hasLength(value) && !(value instanceof Values.View) && !(value instanceof Loop);
      case "iterable" -> Access.isIterable(value);
      case "callable" ->
          value instanceof Function || value instanceof Undefined || value instanceof Loop;
      case "escaped" -> value instanceof Markup;
      case "filter" -> value instanceof String filter && Filters.exists(filter);
      case "test" -> value instanceof String test && exists(test);
      default -> throw TemplateException.runtime("No test named " + Repr.repr(name) + " found.");
    };
  }

  private static boolean isRest(
      Interpreter in, @Nullable Object value, @Nullable Object by, Long rest) {
    return Operators.equal(in, Operators.binary(in, "%", value, by), rest);
  }

  /** Python's {@code is}; equal numbers and strings count as the same object. */
  private static boolean same(@Nullable Object a, @Nullable Object b) {
    boolean scalar = Numbers.of(a) != null || a instanceof String;
    return a == b || (scalar && Objects.equals(a, b));
  }
}
