package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Function;
import dev.qnext.text.jinja.Values.Undefined;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The {@code loop} variable: it draws the items, one ahead where {@code last} is asked for. */
final class Loop implements Function {
  private final Interpreter in;
  private final Stmt.For statement;
  private final Scope outer;
  private final long depth0;
  private Iterator<@Nullable Object> items;
  private long length;
  private long index0 = -1;
  private @Nullable Object before = Values.ABSENT;
  private @Nullable Object current = Values.ABSENT;
  private @Nullable Object after = Values.ABSENT;
  private @Nullable Object lastChanged = Values.ABSENT;

  /** {@code length} -1: only known when the items have been drawn. */
  Loop(
      Interpreter in,
      Stmt.For statement,
      Scope outer,
      Iterator<@Nullable Object> items,
      long length,
      long depth0) {
    this.in = in;
    this.statement = statement;
    this.outer = outer;
    this.items = items;
    this.length = length;
    this.depth0 = depth0;
  }

  boolean advance() {
    Object next = peek();
    if (next == Values.ABSENT) {
      return false;
    }
    after = Values.ABSENT;
    index0++;
    before = current;
    current = next;
    return true;
  }

  @Nullable Object current() {
    return current;
  }

  private @Nullable Object peek() {
    if (after == Values.ABSENT && items.hasNext()) {
      after = items.next();
    }
    return after;
  }

  long length() {
    if (length < 0) {
      List<@Nullable Object> rest = new ArrayList<>();
      while (items.hasNext()) {
        rest.add(items.next());
      }
      items = rest.iterator();
      length = rest.size() + index0 + 1 + (after == Values.ABSENT ? 0 : 1);
    }
    return length;
  }

  @Nullable Object property(String name) {
    return switch (name) {
      case "index" -> index0 + 1;
      case "index0" -> index0;
      case "revindex" -> length() - index0;
      case "revindex0" -> length() - index0 - 1;
      case "first" -> index0 == 0;
      case "last" -> peek() == Values.ABSENT;
      case "length" -> length();
      case "depth" -> depth0 + 1;
      case "depth0" -> depth0;
      case "previtem" -> index0 == 0 ? Undefined.because("there is no previous item") : before;
      case "nextitem" ->
          peek() == Values.ABSENT ? Undefined.because("there is no next item") : after;
      case "cycle", "changed" -> new Method(this, name);
      default -> Values.ABSENT;
    };
  }

  private record Method(Loop loop, String name) implements Function {
    @Override
    public @Nullable Object call(Interpreter in, Arguments arguments) {
      List<@Nullable Object> values = arguments.positional();
      if (name.equals("changed")) {
        Values.Tuple now = new Values.Tuple(values);
        boolean changed =
            loop.lastChanged == Values.ABSENT || !Operators.equal(in, loop.lastChanged, now);
        loop.lastChanged = now;
        return changed;
      }
      if (values.isEmpty()) {
        throw type("no items for cycling given");
      }
      return values.get((int) (loop.index0 % values.size()));
    }
  }

  /** {@code loop(items)}: the body of a loop marked recursive, once more with other items. */
  @Override
  public @Nullable Object call(Interpreter caller, Arguments arguments) {
    if (!statement.recursive()) {
      throw type("The loop must have the 'recursive' marker to be called recursively.");
    }
    Object inner = arguments.bind("loop", 1, "iterable")[0];
    return statement.rendered(in, outer, inner, depth0 + 1);
  }

  @Override
  public String toString() {
    return "<LoopContext " + (index0 + 1) + "/" + length() + ">";
  }
}
