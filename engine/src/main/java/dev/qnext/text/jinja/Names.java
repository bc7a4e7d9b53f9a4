package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.syntax;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * What the parser must know of names beyond the grammar, and the refusals that jinja2 makes only
 * when the whole text could be parsed.
 */
final class Names {
  /** Loops that the present place is in, at any depth. */
  int loops;

  private final ArrayDeque<Macro> macros = new ArrayDeque<>();
  private final List<TemplateException> refusals = new ArrayList<>();
  private boolean soft;
  private boolean inLoop;

  /** Which of its special variables the body of a macro reads before it sets them. */
  static final class Macro {
    boolean caller;
    boolean keywords;
    boolean rest;
    private String hidden = "";
  }

  Macro enterMacro() {
    Macro macro = new Macro();
    macros.push(macro);
    return macro;
  }

  void leaveMacro() {
    macros.pop();
  }

  void read(String name) {
    boolean special = name.equals("caller") || name.equals("kwargs") || name.equals("varargs");
    for (Macro macro : macros) {
      if (special && !macro.hidden.contains(name)) {
        macro.caller |= name.equals("caller");
        macro.keywords |= name.equals("kwargs");
        macro.rest |= name.equals("varargs");
      }
    }
  }

  void stored(String name, int line) {
    if (loops > 0 && name.equals("loop")) {
      refuseLater(line, "Can't assign to special loop variable in for-loop target");
    }
    hidden(name);
  }

  void hidden(String name) {
    if (name.equals("caller") || name.equals("kwargs") || name.equals("varargs")) {
      for (Macro macro : macros) {
        macro.hidden += name + " ";
      }
    }
  }

  /** In an {@code if}, an unknown filter or test fails only when it is used. Returns the old. */
  boolean setSoft(boolean now) {
    boolean before = soft;
    soft = now;
    return before;
  }

  boolean inLoop() {
    return inLoop;
  }

  /** Whether {@code break} has a loop to leave. Returns the old. */
  boolean setInLoop(boolean now) {
    boolean before = inLoop;
    inLoop = now;
    return before;
  }

  void filter(String name, int line) {
    if (!soft && !Filters.exists(name)) {
      refuseLater(line, "No filter named " + Repr.repr(name) + ".");
    }
  }

  void test(String name, int line) {
    if (!soft && !Tests.exists(name)) {
      refuseLater(line, "No test named " + Repr.repr(name) + ".");
    }
  }

  void refuseLater(int line, String reason) {
    refusals.add(syntax(line, reason));
  }

  int refusals() {
    return refusals.size();
  }

  /** What came after the first {@code count} turned out to stand in a conditional expression. */
  void keepRefusals(int count) {
    refusals.subList(count, refusals.size()).clear();
  }

  void refuseFirst() {
    if (!refusals.isEmpty()) {
      throw refusals.getFirst();
    }
  }
}
