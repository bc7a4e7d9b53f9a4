package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.syntax;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What the parser must know of names beyond the grammar, and the refusals that jinja2 makes only
 * when the whole text could be parsed.
 */
final class Names {
  /** Loops that the present place is in, at any depth. */
  int loops;

  private final ArrayDeque<Reads> macros = new ArrayDeque<>();
  private final List<TemplateException> refusals = new ArrayList<>();
  private final Set<String> seen = new HashSet<>();
  private final Set<String> setFirst = new HashSet<>();
  private boolean soft;
  private int blocks;
  private boolean inLoop;

  /** Which of its special variables the body of a macro reads before it sets them. */
  static final class Reads {
    boolean caller;
    boolean keywords;
    boolean rest;
    private String hidden = "";
  }

  Reads enterMacro() {
    Reads macro = new Reads();
    macros.push(macro);
    return macro;
  }

  void leaveMacro() {
    macros.pop();
  }

  void read(String name) {
    if (blocks == 0) {
      seen.add(name);
    }
    boolean special = name.equals("caller") || name.equals("kwargs") || name.equals("varargs");
    for (Reads macro : macros) {
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
    defined(name);
    hidden(name);
  }

  void defined(String name) {
    if (blocks == 0 && seen.add(name) && !soft) {
      setFirst.add(name);
    }
  }

  void hidden(String name) {
    if (name.equals("caller") || name.equals("kwargs") || name.equals("varargs")) {
      for (Reads macro : macros) {
        macro.hidden += macro.hidden.contains(name) ? "" : name + " ";
      }
    }
  }

  /** In an {@code if}, an unknown filter or test fails only when it is used. Returns the old. */
  boolean enterIf() {
    boolean before = soft;
    soft = true;
    return before;
  }

  void leaveIf(boolean before) {
    soft = before;
  }

  /** In a block with variables of its own. Returns what {@link #leaveBlock} needs. */
  boolean enterBlock() {
    boolean before = soft;
    soft = false;
    blocks++;
    return before;
  }

  void leaveBlock(boolean before) {
    soft = before;
    blocks--;
  }

  /**
   * The names that the template sets before it reads them, both outside of all blocks. Such a name
   * is undefined up to there, whatever variable the caller gives: a block before it can tell.
   */
  Set<String> setFirst() {
    return setFirst;
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
