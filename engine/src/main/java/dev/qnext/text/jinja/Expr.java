package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Function;
import dev.qnext.text.jinja.Values.Key;
import dev.qnext.text.jinja.Values.Tuple;
import dev.qnext.text.jinja.Values.Undefined;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An expression of the syntax tree. */
interface Expr {
  /** Only {@link Interpreter#eval} calls this: it counts. */
  @Nullable Object eval(Interpreter in);

  record Constant(@Nullable Object value) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return value;
    }
  }

  record Name(String name) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return in.find(name);
    }
  }

  /** The text of the block that a filter block or a set block with a filter holds. */
  record Captured() implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return in.captured();
    }
  }

  record ListOf(List<Expr> items) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return in.made(all(in, items));
    }
  }

  record TupleOf(List<Expr> items) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return in.made(new Tuple(all(in, items)));
    }
  }

  private static List<@Nullable Object> all(Interpreter in, List<Expr> items) {
    List<@Nullable Object> values = new ArrayList<>(items.size());
    for (Expr item : items) {
      values.add(in.eval(item));
    }
    return values;
  }

  record DictOf(List<Expr> keys, List<Expr> values) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      Map<Object, @Nullable Object> map = new LinkedHashMap<>();
      for (int i = 0; i < keys.size(); i++) {
        Object key = in.eval(keys.get(i));
        map.put(Key.of(in, key), in.eval(values.get(i)));
      }
      return in.made(map);
    }
  }

  record Attribute(Expr of, String name) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return Access.attribute(in.eval(of), name);
    }
  }

  record Item(Expr of, Expr index) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return Access.item(in, in.eval(of), in.eval(index));
    }
  }

  record Slice(Expr of, @Nullable Expr from, @Nullable Expr to, @Nullable Expr step)
      implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      Object value = in.eval(of);
      in.charge(value);
      return in.made(Access.slice(value, optional(in, from), optional(in, to), optional(in, step)));
    }

    private static @Nullable Object optional(Interpreter in, @Nullable Expr bound) {
      return bound == null ? null : in.eval(bound);
    }
  }

  /** The arguments of a call, filter or test; {@code *rest} and {@code **more} where given. */
  record ArgumentList(
      List<Expr> positional,
      List<String> names,
      List<Expr> named,
      @Nullable Expr rest,
      @Nullable Expr more) {
    static final ArgumentList EMPTY = new ArgumentList(List.of(), List.of(), List.of(), null, null);

    Arguments eval(Interpreter in, @Nullable Object caller) {
      if (this == EMPTY && caller == null) {
        return Arguments.NONE;
      }
      List<@Nullable Object> values = all(in, positional);
      Map<Object, @Nullable Object> keywords = new LinkedHashMap<>();
      for (int i = 0; i < names.size(); i++) {
        keywords.put(names.get(i), in.eval(named.get(i)));
      }
      if (caller != null) {
        keywords.put("caller", caller);
      }
      if (rest != null) {
        values.addAll(Access.toList(in, in.eval(rest)));
      }
      if (more != null) {
        addAll(keywords, in.eval(more));
      }
      return new Arguments(values, keywords);
    }

    private static void addAll(Map<Object, @Nullable Object> keywords, @Nullable Object more) {
      if (!(more instanceof Map)) {
        throw type("argument after ** must be a mapping, not %s", Values.typeName(more));
      }
      for (Map.Entry<Object, @Nullable Object> entry : Values.map(more).entrySet()) {
        if (!(entry.getKey() instanceof String name)) {
          throw type("keywords must be strings");
        }
        if (keywords.containsKey(name)) {
          throw type("got multiple values for keyword argument '%s'", name);
        }
        keywords.put(name, entry.getValue());
      }
    }
  }

  record Call(Expr of, ArgumentList arguments) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return eval(in, null);
    }

    /** {@code caller}: the body of a call block. */
    @Nullable Object eval(Interpreter in, @Nullable Object caller) {
      Object callee = in.eval(of);
      Arguments values = arguments.eval(in, caller);
      if (callee instanceof Undefined undefined) {
        throw undefined.failure();
      }
      if (!(callee instanceof Function function)) {
        throw type("'%s' object is not callable", Values.typeName(callee));
      }
      return function.call(in, values);
    }
  }

  record Filter(Expr of, String name, ArgumentList arguments) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      Object value = in.eval(of);
      return Filters.call(in, name, value, arguments.eval(in, null));
    }
  }

  record Test(Expr of, String name, ArgumentList arguments) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      Object value = in.eval(of);
      return Tests.call(in, name, value, arguments.eval(in, null));
    }
  }

  record Not(Expr of) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return !Operators.truth(in.eval(of));
    }
  }

  record Sign(Expr of, boolean minus) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return Operators.sign(in.eval(of), minus);
    }
  }

  record Binary(String operator, Expr left, Expr right) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      return in.made(Operators.binary(in, operator, in.eval(left), in.eval(right)));
    }
  }

  /** {@code and} and {@code or} give the side that decided. */
  record Logical(boolean and, Expr left, Expr right) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      Object value = in.eval(left);
      return Operators.truth(value) == and ? in.eval(right) : value;
    }
  }

  record Concat(List<Expr> parts) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      StringBuilder out = new StringBuilder();
      for (Expr part : parts) {
        out.append(Repr.str(in.eval(part)));
        Interpreter.checkText(out.length());
      }
      return in.made(out.toString());
    }
  }

  /** {@code a < b <= c}: each side evaluated once, up to the first comparison that fails. */
  record Compare(Expr first, List<String> operators, List<Expr> others) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      Object left = in.eval(first);
      boolean holds = true;
      for (int i = 0; holds && i < operators.size(); i++) {
        Object right = in.eval(others.get(i));
        holds = Operators.compare(in, operators.get(i), left, right);
        left = right;
      }
      return holds;
    }
  }

  record Conditional(int line, Expr test, Expr then, @Nullable Expr otherwise) implements Expr {
    @Override
    public @Nullable Object eval(Interpreter in) {
      if (Operators.truth(in.eval(test))) {
        return in.eval(then);
      }
      return otherwise != null
          ? in.eval(otherwise)
          : Undefined.because(
              "the inline if-expression on line %d evaluated to false and no else section was defined."
                  .formatted(line));
    }
  }
}
