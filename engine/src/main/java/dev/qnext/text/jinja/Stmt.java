package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Namespace;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A statement of the syntax tree. */
interface Stmt {
  /** How the statements after this one go on. */
  enum Flow {
    ON,
    BREAK,
    CONTINUE
  }

  int line();

  /** What a filter or call block gives is not turned into text, it must be one. */
  private static String joinable(@Nullable Object value) {
    String text = Values.text(value);
    if (text == null) {
      throw type("expected str instance, %s found", Values.typeName(value));
    }
    return text;
  }

  /** Only {@link Interpreter#run} calls this: it counts. */
  Flow run(Interpreter in);

  record Text(int line, String text) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      in.print(text);
      return Flow.ON;
    }
  }

  record Print(int line, Expr value) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      in.print(Repr.str(in.eval(value)));
      return Flow.ON;
    }
  }

  /** {@code bodies} has one more than {@code tests} where there is an else. */
  record If(int line, List<Expr> tests, List<List<Stmt>> bodies) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      for (int i = 0; i < tests.size(); i++) {
        if (Operators.truth(in.eval(tests.get(i)))) {
          return in.run(bodies.get(i));
        }
      }
      return bodies.size() > tests.size() ? in.run(bodies.getLast()) : Flow.ON;
    }
  }

  record Jump(int line, Flow flow) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      return flow;
    }
  }

  record For(
      int line,
      Target target,
      Expr items,
      @Nullable Expr test,
      boolean recursive,
      List<Stmt> body,
      List<Stmt> otherwise)
      implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      Object over = in.eval(items);
      if (recursive) {
        in.print(rendered(in, in.scope(), over, 0));
        return Flow.ON;
      }
      return loop(in, in.scope(), over, 0);
    }

    /** The loop's text, for a loop that may call itself. */
    String rendered(Interpreter in, Scope outer, @Nullable Object over, long depth) {
      int callLine = in.line();
      Scope outside = in.enterMacro(outer);
      StringBuilder text = in.divert();
      loop(in, outer, over, depth);
      String result = in.restore(text);
      in.leaveMacro(outside, callLine);
      return result;
    }

    private Flow loop(Interpreter in, Scope outer, @Nullable Object over, long depth) {
      Iterator<@Nullable Object> drawn = Access.iterate(in, over);
      long length = test == null && Access.hasLength(over) ? Access.length(over) : -1;
      Loop loop =
          new Loop(
              in,
              this,
              outer,
              test == null ? drawn : new Chosen(in, this, test, outer, drawn),
              length,
              depth);
      boolean complete = false;
      while (loop.advance()) {
        Scope round = new Scope(outer);
        in.inScope(round);
        round.set("loop", loop);
        target.assign(in, loop.current());
        Flow flow = in.run(body);
        // As in jinja2, a loop whose rounds all ended early counts as empty.
        complete |= flow == Flow.ON;
        if (flow == Flow.BREAK) {
          break;
        }
      }
      in.inScope(complete ? outer : new Scope(outer));
      Flow flow = complete ? Flow.ON : in.run(otherwise);
      in.inScope(outer);
      return flow;
    }
  }

  /** The items of a loop that fulfil its test, which is made when the next one is asked for. */
  final class Chosen extends Items {
    private final Interpreter in;
    private final For loop;
    private final Expr test;
    private final Scope outer;
    private final Iterator<@Nullable Object> items;

    Chosen(Interpreter in, For loop, Expr test, Scope outer, Iterator<@Nullable Object> items) {
      this.in = in;
      this.loop = loop;
      this.test = test;
      this.outer = outer;
      this.items = items;
    }

    @Override
    @Nullable Object draw() {
      Scope before = in.scope();
      Object drawn = Values.ABSENT;
      while (drawn == Values.ABSENT && items.hasNext()) {
        Object item = items.next();
        in.inScope(new Scope(outer));
        loop.target().assign(in, item);
        drawn = Operators.truth(in.eval(test)) ? item : Values.ABSENT;
      }
      in.inScope(before);
      return drawn;
    }
  }

  record SetTo(int line, Target target, Expr value) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      target.check(in);
      target.assign(in, in.eval(value));
      return Flow.ON;
    }
  }

  /** {@code filter} is null or ends in {@link Expr.Captured}. */
  record SetBlock(int line, Target target, @Nullable Expr filter, List<Stmt> body) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      Scope outside = in.inScope(new Scope(in.scope()));
      StringBuilder text = in.divert();
      Flow flow = in.run(body);
      Object value = in.restore(text);
      value = flow == Flow.ON && filter != null ? in.eval(filter) : value;
      in.inScope(outside);
      if (flow == Flow.ON) {
        target.assign(in, value);
      }
      return flow;
    }
  }

  record FilterBlock(int line, Expr filter, List<Stmt> body) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      Scope outside = in.inScope(new Scope(in.scope()));
      StringBuilder text = in.divert();
      Flow flow = in.run(body);
      in.restore(text);
      if (flow == Flow.ON) {
        in.print(joinable(in.eval(filter)));
      }
      in.inScope(outside);
      return flow;
    }
  }

  record MacroBlock(int line, String name, Macro.Definition definition) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      in.scope().set(name, new Macro(name, definition, in.scope()));
      return Flow.ON;
    }
  }

  record CallBlock(int line, Expr.Call call, Macro.Definition definition) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      in.print(joinable(call.eval(in, new Macro(null, definition, in.scope()))));
      return Flow.ON;
    }
  }

  /** A block with variables of its own: {@code with}, and {@code generation} with none. */
  record With(int line, List<Target> targets, List<Expr> values, List<Stmt> body) implements Stmt {
    @Override
    public Flow run(Interpreter in) {
      Scope inner = new Scope(in.scope());
      for (int i = 0; i < targets.size(); i++) {
        Object value = in.eval(values.get(i));
        Scope outside = in.inScope(inner);
        targets.get(i).assign(in, value);
        in.inScope(outside);
      }
      Scope outside = in.inScope(inner);
      Flow flow = in.run(body);
      in.inScope(outside);
      return flow;
    }
  }

  /** What a value is given to. */
  interface Target {
    void assign(Interpreter in, @Nullable Object value);

    /** Refuses, before the value is known, what cannot take any. */
    default void check(Interpreter in) {}
  }

  record Variable(String name) implements Target {
    @Override
    public void assign(Interpreter in, @Nullable Object value) {
      in.scope().set(name, value);
    }
  }

  record Member(String namespace, String name) implements Target {
    @Override
    public void check(Interpreter in) {
      if (!(in.find(namespace) instanceof Namespace)) {
        throw TemplateException.runtime("cannot assign attribute on non-namespace object");
      }
    }

    @Override
    public void assign(Interpreter in, @Nullable Object value) {
      check(in);
      Globals.checkAttribute(name);
      if (in.find(namespace) instanceof Namespace target) {
        target.attributes.put(name, value);
      }
    }
  }

  record Several(List<Target> targets) implements Target {
    @Override
    public void check(Interpreter in) {
      for (Target target : targets) {
        target.check(in);
      }
    }

    @Override
    public void assign(Interpreter in, @Nullable Object value) {
      if (!Access.isIterable(value)) {
        throw type("cannot unpack non-iterable %s object", Values.typeName(value));
      }
      List<@Nullable Object> items = new ArrayList<>(targets.size());
      Iterator<@Nullable Object> it = Access.iterate(in, value);
      while (it.hasNext() && items.size() <= targets.size()) {
        items.add(it.next());
      }
      if (items.size() != targets.size()) {
        throw type(
            "%s values to unpack (expected %d)",
            items.size() < targets.size() ? "not enough" : "too many", targets.size());
      }
      for (int i = 0; i < items.size(); i++) {
        targets.get(i).assign(in, items.get(i));
      }
    }
  }
}
