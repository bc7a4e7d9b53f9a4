package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.Lexer.BLOCK_END;
import static dev.qnext.text.jinja.Lexer.DATA;
import static dev.qnext.text.jinja.Lexer.END;
import static dev.qnext.text.jinja.Lexer.NAME;
import static dev.qnext.text.jinja.Lexer.PRINT_BEGIN;
import static dev.qnext.text.jinja.Lexer.PRINT_END;
import static dev.qnext.text.jinja.TemplateException.syntax;

import dev.qnext.text.jinja.Lexer.Token;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Tokens to statements, in the grammar of jinja2; expressions are read by {@link Expressions}.
 *
 * <p>Besides the grammar it keeps jinja2's rules of the whole text: no assignment to {@code loop}
 * inside of a loop, {@code break} only in a loop, and filters and tests must exist, unless they
 * stand in an {@code if} directly, where only using them fails.
 */
final class Parser {
  private static final int MAX_DEPTH = 100;

  private final TokenStream tokens;
  private final Expressions expressions;
  private final Names names = new Names();
  private final ArrayDeque<String> tags = new ArrayDeque<>();
  private final ArrayDeque<String[]> ends = new ArrayDeque<>();

  Parser(Lexer lexer) {
    tokens = new TokenStream(lexer);
    expressions = new Expressions(tokens, names);
  }

  List<Stmt> parse() {
    List<Stmt> body = statements();
    names.refuseFirst();
    return body;
  }

  Set<String> setFirst() {
    return names.setFirst();
  }

  /** Up to the end of the text or one of the given tags, whose name is then the current token. */
  private List<Stmt> statements(String... endTags) {
    ends.push(endTags);
    if (ends.size() > MAX_DEPTH) {
      throw TemplateException.limit(Interpreter.DEEP);
    }
    List<Stmt> body = new ArrayList<>();
    while (!tokens.current().is(END)) {
      Token token = tokens.next();
      if (token.is(DATA)) {
        body.add(new Stmt.Text(token.line(), token.value().toString()));
      } else if (token.is(PRINT_BEGIN)) {
        body.add(new Stmt.Print(token.line(), expressions.tuple()));
        tokens.expect(PRINT_END);
      } else {
        if (tokens.current().is(NAME)
            && Arrays.asList(endTags).contains(tokens.current().value())) {
          ends.pop();
          return body;
        }
        body.add(statement());
        tokens.expect(BLOCK_END);
      }
    }
    if (endTags.length > 0) {
      throw unknownTag(null, tokens.current().line());
    }
    ends.pop();
    return body;
  }

  /** The body of a block: from the end of its first tag to an end tag. */
  private List<Stmt> body(String... endTags) {
    tokens.skipIf(":");
    tokens.expect(BLOCK_END);
    return statements(endTags);
  }

  /** The same, with the end tag's name consumed. */
  private List<Stmt> closedBody(String endTag) {
    List<Stmt> body = body(endTag);
    tokens.next();
    return body;
  }

  private Stmt statement() {
    Token tag = tokens.current();
    if (!tag.is(NAME)) {
      throw syntax(tag.line(), "tag name expected");
    }
    String name = tag.value().toString();
    tags.push(name);
    int line = tag.line();
    tokens.next();
    Stmt statement =
        switch (name) {
          case "if" -> ifBlock(line);
          case "for" -> forBlock(line);
          case "set" -> set(line);
          case "macro" -> macro(line);
          case "call" -> call(line);
          case "filter" -> filter(line);
          case "with" -> with(line);
          case "generation" -> generation(line);
          case "break", "continue" -> jump(line, name);
          case "print", "block", "extends", "include", "import", "from", "autoescape" ->
              throw syntax(line, "the tag '" + name + "' is not supported");
          default -> {
            tags.pop();
            throw unknownTag(name, line);
          }
        };
    tags.pop();
    return statement;
  }

  private TemplateException unknownTag(@Nullable String name, int line) {
    StringBuilder text = new StringBuilder();
    text.append(
        name == null ? "Unexpected end of template." : "Encountered unknown tag '" + name + "'.");
    boolean expected = false;
    for (String[] tags : ends) {
      expected |= name != null && Arrays.asList(tags).contains(name);
    }
    String[] wanted = ends.isEmpty() ? new String[0] : ends.peek();
    if (wanted.length > 0) {
      text.append(
          expected
              ? " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for "
              : " Jinja was looking for the following tags: ");
      text.append('\'').append(String.join("' or '", wanted)).append("'.");
    }
    if (!tags.isEmpty()) {
      text.append(" The innermost block that needs to be closed is '")
          .append(tags.peek())
          .append("'.");
    }
    return syntax(line, text.toString());
  }

  private Stmt ifBlock(int line) {
    List<Expr> tests = new ArrayList<>();
    List<List<Stmt>> bodies = new ArrayList<>();
    boolean soft = names.enterIf();
    Token end;
    do {
      tests.add(expressions.tupleWithoutCondition());
      bodies.add(body("elif", "else", "endif"));
      end = tokens.next();
    } while (end.isName("elif"));
    if (end.isName("else")) {
      bodies.add(closedBody("endif"));
    }
    names.leaveIf(soft);
    return new Stmt.If(line, tests, bodies);
  }

  private Stmt forBlock(int line) {
    names.loops++;
    Stmt.Target target = target("in", false);
    tokens.expectName("in");
    Expr items = expressions.tupleUntil("recursive");
    boolean soft = names.enterBlock();
    store(target, line);
    Expr test = tokens.skipIfName("if") ? expressions.expression() : null;
    boolean recursive = tokens.skipIfName("recursive");
    boolean inLoop = names.setInLoop(true);
    List<Stmt> body = body("endfor", "else");
    names.setInLoop(inLoop);
    boolean hasElse = tokens.next().isName("else");
    List<Stmt> otherwise = hasElse ? closedBody("endfor") : List.of();
    names.leaveBlock(soft);
    names.loops--;
    return new Stmt.For(line, target, items, test, recursive, body, otherwise);
  }

  private Stmt jump(int line, String name) {
    if (!names.inLoop()) {
      String what =
          name.equals("break") ? "'break' outside loop" : "'continue' not properly in loop";
      names.refuseLater(line, what);
    }
    return new Stmt.Jump(line, name.equals("break") ? Stmt.Flow.BREAK : Stmt.Flow.CONTINUE);
  }

  private Stmt set(int line) {
    Stmt.Target target = target("=", true);
    if (tokens.skipIf("=")) {
      Expr value = expressions.tuple();
      store(target, line);
      return new Stmt.SetTo(line, target, value);
    }
    store(target, line);
    boolean soft = names.enterBlock();
    Expr filter = expressions.filters(new Expr.Captured());
    List<Stmt> body = closedBody("endset");
    names.leaveBlock(soft);
    return new Stmt.SetBlock(line, target, filter instanceof Expr.Captured ? null : filter, body);
  }

  private Stmt filter(int line) {
    boolean soft = names.enterBlock();
    Expr filter = expressions.filters(expressions.filter(new Expr.Captured()));
    List<Stmt> body = closedBody("endfilter");
    names.leaveBlock(soft);
    return new Stmt.FilterBlock(line, filter, body);
  }

  private Stmt macro(int line) {
    Token name = tokens.expect(NAME);
    refuseConstant(name, "name");
    names.defined(name.value().toString());
    List<String> parameters = new ArrayList<>();
    List<Expr> defaults = new ArrayList<>();
    signature(parameters, defaults);
    Macro.Definition definition = definition(line, parameters, defaults, "endmacro");
    return new Stmt.MacroBlock(line, name.value().toString(), definition);
  }

  private Stmt call(int line) {
    List<String> parameters = new ArrayList<>();
    List<Expr> defaults = new ArrayList<>();
    if (tokens.current().is("(")) {
      signature(parameters, defaults);
    }
    if (!(expressions.expression() instanceof Expr.Call call)) {
      throw syntax(line, "expected call");
    }
    return new Stmt.CallBlock(line, call, definition(line, parameters, defaults, "endcall"));
  }

  private void signature(List<String> parameters, List<Expr> defaults) {
    boolean soft = names.enterBlock();
    tokens.expect("(");
    while (!tokens.current().is(")")) {
      if (!parameters.isEmpty()) {
        tokens.expect(",");
      }
      Token name = tokens.expect(NAME);
      refuseConstant(name, "name");
      names.hidden(name.value().toString());
      parameters.add(name.value().toString());
      if (tokens.skipIf("=")) {
        defaults.add(expressions.expression());
      } else if (!defaults.isEmpty()) {
        throw syntax(name.line(), "non-default argument follows default argument");
      }
    }
    tokens.expect(")");
    names.leaveBlock(soft);
  }

  private Macro.Definition definition(
      int line, List<String> parameters, List<Expr> defaults, String endTag) {
    Set<String> different = new HashSet<>();
    for (String parameter : parameters) {
      if (!different.add(parameter)) {
        names.refuseLater(line, "duplicate argument '" + parameter + "' in function definition");
      }
    }
    boolean soft = names.enterBlock();
    boolean inLoop = names.setInLoop(false);
    Names.Reads reads = names.enterMacro();
    List<Stmt> body = closedBody(endTag);
    names.leaveMacro();
    names.setInLoop(inLoop);
    names.leaveBlock(soft);
    int caller = parameters.indexOf("caller");
    if (reads.caller && caller >= 0 && caller < parameters.size() - defaults.size()) {
      names.refuseLater(
          line,
          "When defining macros or call blocks the special \"caller\" argument must be omitted or be"
              + " given a default.");
    }
    return new Macro.Definition(
        parameters,
        defaults,
        body,
        reads.caller,
        reads.keywords && !parameters.contains("kwargs"),
        reads.rest && !parameters.contains("varargs"));
  }

  private Stmt generation(int line) {
    boolean soft = names.enterBlock();
    boolean inLoop = names.setInLoop(false);
    List<Stmt> body = closedBody("endgeneration");
    names.leaveBlock(soft);
    names.setInLoop(inLoop);
    return new Stmt.With(line, List.of(), List.of(), body);
  }

  private Stmt with(int line) {
    List<Stmt.Target> targets = new ArrayList<>();
    List<Expr> values = new ArrayList<>();
    while (!tokens.current().is(BLOCK_END)) {
      if (!targets.isEmpty()) {
        tokens.expect(",");
      }
      targets.add(target("=", false));
      tokens.expect("=");
      values.add(expressions.expression());
    }
    boolean soft = names.enterBlock();
    for (Stmt.Target target : targets) {
      store(target, line);
    }
    List<Stmt> body = closedBody("endwith");
    names.leaveBlock(soft);
    return new Stmt.With(line, targets, values, body);
  }

  /** One target or several with commas, up to the token or name {@code end}. */
  private Stmt.Target target(String end, boolean members) {
    List<Stmt.Target> targets = new ArrayList<>();
    boolean several = false;
    while (true) {
      if (!targets.isEmpty()) {
        tokens.expect(",");
      }
      if (tokens.current().is(BLOCK_END)
          || tokens.current().is(")")
          || tokens.current().isName(end)) {
        break;
      }
      targets.add(singleTarget(members));
      if (!tokens.current().is(",")) {
        break;
      }
      several = true;
    }
    if (targets.isEmpty()) {
      throw syntax(
          tokens.current().line(),
          "Expected an expression, got '" + tokens.current().describe() + "'");
    }
    return several ? new Stmt.Several(targets) : targets.getFirst();
  }

  private Stmt.Target singleTarget(boolean members) {
    Token token = tokens.next();
    if (token.is("(")) {
      Stmt.Target inner = target(")", false);
      tokens.expect(")");
      return inner;
    }
    if (!token.is(NAME)) {
      boolean literal = token.is(Lexer.STRING) || token.is(Lexer.INTEGER) || token.is(Lexer.FLOAT);
      String what = literal ? "can't assign to 'const'" : "unexpected '" + token.describe() + "'";
      throw syntax(token.line(), what);
    }
    refuseConstant(token, "const");
    String name = token.value().toString();
    if (members && tokens.skipIf(".")) {
      names.read(name);
      return new Stmt.Member(name, tokens.expect(NAME).value().toString());
    }
    return new Stmt.Variable(name);
  }

  private void store(Stmt.Target target, int line) {
    if (target instanceof Stmt.Variable variable) {
      names.stored(variable.name(), line);
    } else if (target instanceof Stmt.Several several) {
      for (Stmt.Target each : several.targets()) {
        store(each, line);
      }
    }
  }

  private static void refuseConstant(Token name, String what) {
    if (Expressions.isConstant(name.value().toString())) {
      throw syntax(name.line(), "can't assign to '" + what + "'");
    }
  }
}
