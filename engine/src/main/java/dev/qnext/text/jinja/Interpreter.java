package dev.qnext.text.jinja;

import dev.qnext.text.jinja.Values.Undefined;
import java.math.BigInteger;
import java.time.Clock;
import java.time.LocalDateTime;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One rendering of a template: its scopes, its output and its limits. A template comes from an
 * untrusted file, so everything that costs time, memory or stack is counted here, whatever the
 * template does.
 */
final class Interpreter {
  static final String DEEP = "the template is nested or calls itself too deeply";

  private static final long MAX_STEPS = 10_000_000;

  /** Characters of one string, and of the whole output. */
  private static final int MAX_TEXT = 64 << 20;

  private static final int MAX_ITEMS = 4 << 20;

  /** Characters of all strings made; an item of a list counts as eight. */
  private static final long MAX_MADE = 512L << 20;

  private static final int MAX_DEPTH = 1500;
  private static final int MAX_MACROS = 200;

  /** Characters looked at per step. */
  private static final int CHARACTERS = 32;

  private final @Nullable Clock clock;
  private long steps;
  private long made;
  private int depth;
  private int macros;
  private int line = 1;
  private Scope scope = new Scope(null);
  private StringBuilder out = new StringBuilder();
  private String captured = "";

  Interpreter(Map<String, ?> variables, @Nullable Clock clock) {
    this.clock = clock;
    for (Map.Entry<String, ?> entry : variables.entrySet()) {
      scope.set(entry.getKey(), Values.adopt(entry.getValue(), 0));
    }
    scope = new Scope(scope);
  }

  /** {@code setFirst}: see {@link Names#setFirst}. */
  String render(List<Stmt> body, Set<String> setFirst) {
    for (String name : setFirst) {
      scope.set(name, Undefined.variable(name));
    }
    run(body);
    return out.toString();
  }

  // -- limits

  void step(long count) {
    steps += count;
    if (steps > MAX_STEPS) {
      throw TemplateException.limit("the template takes more than " + MAX_STEPS + " steps");
    }
  }

  void enter() {
    step(1);
    if (++depth > MAX_DEPTH) {
      throw TemplateException.limit(DEEP);
    }
  }

  void leave() {
    depth--;
  }

  /** Called before or while a string of that length is made. */
  static void checkText(long length) {
    if (length > MAX_TEXT) {
      throw TemplateException.limit("a text has more than " + MAX_TEXT + " characters");
    }
  }

  /** Called before or while a list of that length is made. */
  static void checkItems(long length) {
    if (length > MAX_ITEMS) {
      throw TemplateException.limit("a list has more than " + MAX_ITEMS + " items");
    }
  }

  /** The cost of looking at a value once. */
  void charge(@Nullable Object value) {
    step(weight(value) / CHARACTERS);
  }

  /** The cost of looking for a part: at worst, at each place anew. */
  void chargeSearch(String text, @Nullable String part) {
    long places =
        part == null ? 0 : Math.min(part.length(), Math.max(0, text.length() - part.length()));
    step(weight(text) / CHARACTERS * (1 + places / CHARACTERS));
  }

  /** Counts a value that an operation has newly made. */
  <T extends @Nullable Object> T made(T value) {
    long weight = weight(value);
    step(weight / CHARACTERS);
    made += weight;
    if (made > MAX_MADE) {
      throw TemplateException.limit(
          "the template makes more than " + MAX_MADE + " characters of text");
    }
    return value;
  }

  private static long weight(@Nullable Object value) {
    String text = Values.text(value);
    if (text != null) {
      checkText(text.length());
      return text.length();
    }
    List<@Nullable Object> items = Values.sequence(value);
    if (items != null) {
      return 8L * items.size();
    }
    return value instanceof Map<?, ?> map
        ? 16L * map.size()
        : value instanceof BigInteger b ? b.bitLength() / 8 : 0;
  }

  /** The items, each for one step. */
  Iterator<@Nullable Object> counted(List<@Nullable Object> items) {
    return counted(items.iterator());
  }

  Iterator<@Nullable Object> counted(Iterator<@Nullable Object> items) {
    return new Items() {
      @Override
      @Nullable Object draw() {
        step(1);
        return items.hasNext() ? items.next() : Values.ABSENT;
      }
    };
  }

  // -- steps

  @Nullable Object eval(Expr expression) {
    enter();
    Object value = expression.eval(this);
    leave();
    return value;
  }

  Stmt.Flow run(List<Stmt> body) {
    for (int i = 0; i < body.size(); i++) {
      Stmt statement = body.get(i);
      enter();
      line = statement.line();
      Stmt.Flow flow = statement.run(this);
      leave();
      if (flow != Stmt.Flow.ON) {
        return flow;
      }
    }
    return Stmt.Flow.ON;
  }

  /** Where the failing statement begins. */
  int line() {
    return line;
  }

  void print(String text) {
    made(text);
    checkText((long) out.length() + text.length());
    out.append(text);
  }

  /** What is printed next goes into a text of its own; returns the text so far. */
  StringBuilder divert() {
    StringBuilder outside = out;
    out = new StringBuilder();
    return outside;
  }

  /** Ends {@link #divert}: the text of its own. */
  String restore(StringBuilder outside) {
    captured = out.toString();
    out = outside;
    return captured;
  }

  /** The latest text that {@link #restore} gave. */
  String captured() {
    return captured;
  }

  /** Returns the scope to go back to. */
  Scope enterMacro(Scope inner) {
    if (++macros > MAX_MACROS) {
      throw TemplateException.limit(DEEP);
    }
    return inScope(inner);
  }

  void leaveMacro(Scope outside, int callLine) {
    scope = outside;
    line = callLine;
    macros--;
  }

  // -- names

  Scope scope() {
    return scope;
  }

  /** Goes on in another scope; returns the one so far. */
  Scope inScope(Scope next) {
    Scope before = scope;
    scope = next;
    return before;
  }

  @Nullable Object find(String name) {
    Object value = scope.get(name);
    if (value == Values.ABSENT) {
      value = Globals.find(name);
    }
    return value == Values.ABSENT ? Undefined.variable(name) : value;
  }

  LocalDateTime now() {
    return clock == null ? LocalDateTime.now() : LocalDateTime.now(clock);
  }
}
