package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.Lexer.BLOCK_END;
import static dev.qnext.text.jinja.Lexer.FLOAT;
import static dev.qnext.text.jinja.Lexer.INTEGER;
import static dev.qnext.text.jinja.Lexer.NAME;
import static dev.qnext.text.jinja.Lexer.PRINT_END;
import static dev.qnext.text.jinja.Lexer.STRING;
import static dev.qnext.text.jinja.TemplateException.syntax;

import dev.qnext.text.jinja.Lexer.Token;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads expressions. Weakest first: {@code a if b else c}; or; and; not; comparisons and {@code in}
 * (chained); + -; ~; * / // %; **; signs; filters and {@code is}; calls, {@code .name}, {@code
 * [index]}. All operators group from the left, {@code **} too.
 */
final class Expressions {
  private static final int OR = 0;
  private static final int AND = 1;
  private static final int NOT = 2;
  private static final int COMPARE = 3;
  private static final int ADD = 4;
  private static final int CONCAT = 5;
  private static final int MULTIPLY = 6;
  private static final int POWER = 7;
  private static final int NONE = -1;

  /** Three for each pair of parentheses. */
  private static final int MAX_DEPTH = 600;

  private final TokenStream tokens;
  private final Names names;
  private int depth;

  Expressions(TokenStream tokens, Names names) {
    this.tokens = tokens;
    this.names = names;
  }

  static boolean isConstant(String name) {
    return switch (name) {
      case "true", "True", "false", "False", "none", "None" -> true;
      default -> false;
    };
  }

  private void enter() {
    if (++depth > MAX_DEPTH) {
      throw TemplateException.limit(Interpreter.DEEP);
    }
  }

  Expr expression() {
    enter();
    int refusals = names.refusals();
    int line = tokens.current().line();
    Expr value = binary(OR);
    while (tokens.skipIfName("if")) {
      Expr test = binary(OR);
      Expr otherwise = tokens.skipIfName("else") ? expression() : null;
      value = new Expr.Conditional(line, test, value, otherwise);
      names.keepRefusals(refusals);
      line = tokens.current().line();
    }
    depth--;
    return value;
  }

  /** Expressions with commas between them make a tuple. */
  Expr tuple() {
    return tuple(true, "", false);
  }

  Expr tupleWithoutCondition() {
    return tuple(false, "", false);
  }

  Expr tupleUntil(String endName) {
    return tuple(false, endName, false);
  }

  private Expr tuple(boolean condition, String endName, boolean parentheses) {
    List<Expr> items = new ArrayList<>();
    boolean several = false;
    while (true) {
      if (!items.isEmpty()) {
        tokens.expect(",");
      }
      Token token = tokens.current();
      if (token.is(PRINT_END) || token.is(BLOCK_END) || token.is(")") || token.isName(endName)) {
        break;
      }
      items.add(condition ? expression() : binary(OR));
      if (!tokens.current().is(",")) {
        break;
      }
      several = true;
    }
    if (!several && !items.isEmpty()) {
      return items.getFirst();
    }
    if (!several && !parentheses) {
      throw syntax(
          tokens.current().line(),
          "Expected an expression, got '" + tokens.current().describe() + "'");
    }
    return new Expr.TupleOf(items);
  }

  private Expr binary(int least) {
    enter();
    Expr left;
    if (least <= NOT && tokens.skipIfName("not")) {
      left = new Expr.Not(binary(NOT));
    } else {
      left = unary(true);
    }
    for (int level = level(); level >= least; level = level()) {
      left =
          level == COMPARE
              ? comparison(left)
              : level == CONCAT ? concat(left) : operation(left, level);
    }
    depth--;
    return left;
  }

  /** How strongly the current token binds as an operator between two values. */
  private int level() {
    Token token = tokens.current();
    if (token.is(NAME)) {
      return switch (token.value().toString()) {
        case "or" -> OR;
        case "and" -> AND;
        case "in" -> COMPARE;
        case "not" -> tokens.look().isName("in") ? COMPARE : NONE;
        default -> NONE;
      };
    }
    return switch (token.type()) {
      case "==", "!=", "<", "<=", ">", ">=" -> COMPARE;
      case "+", "-" -> ADD;
      case "~" -> CONCAT;
      case "*", "/", "//", "%" -> MULTIPLY;
      case "**" -> POWER;
      default -> NONE;
    };
  }

  private Expr operation(Expr left, int level) {
    String operator = tokens.next().value().toString();
    Expr right = binary(level + 1);
    return level <= AND
        ? new Expr.Logical(level == AND, left, right)
        : new Expr.Binary(operator, left, right);
  }

  private Expr comparison(Expr first) {
    List<String> operators = new ArrayList<>();
    List<Expr> others = new ArrayList<>();
    while (level() == COMPARE) {
      String operator = tokens.next().value().toString();
      if (operator.equals("not")) {
        tokens.next();
        operator = "not in";
      }
      operators.add(operator);
      others.add(binary(COMPARE + 1));
    }
    return new Expr.Compare(first, operators, others);
  }

  private Expr concat(Expr first) {
    List<Expr> parts = new ArrayList<>();
    parts.add(first);
    while (tokens.skipIf("~")) {
      parts.add(binary(CONCAT + 1));
    }
    return new Expr.Concat(parts);
  }

  private Expr unary(boolean filters) {
    enter();
    Expr value;
    if (tokens.current().is("-") || tokens.current().is("+")) {
      boolean minus = tokens.next().is("-");
      value = new Expr.Sign(unary(false), minus);
    } else {
      value = primary();
    }
    value = postfix(value);
    value = filters ? filtersAndTests(value) : value;
    depth--;
    return value;
  }

  private Expr primary() {
    Token token = tokens.next();
    switch (token.type()) {
      case NAME:
        String name = token.value().toString();
        if (isConstant(name)) {
          boolean none = name.equalsIgnoreCase("none");
          return new Expr.Constant(none ? null : (Object) name.equalsIgnoreCase("true"));
        }
        names.read(name);
        return new Expr.Name(name);
      case STRING:
        StringBuilder text = new StringBuilder(token.value().toString());
        while (tokens.current().is(STRING)) {
          text.append(tokens.next().value());
        }
        return new Expr.Constant(text.toString());
      case INTEGER, FLOAT:
        return new Expr.Constant(token.value());
      case "(":
        Expr inner = tuple(true, "", true);
        tokens.expect(")");
        return inner;
      case "[":
        return new Expr.ListOf(items());
      case "{":
        return dict();
      default:
        throw syntax(token.line(), "unexpected '" + token.describe() + "'");
    }
  }

  private List<Expr> items() {
    List<Expr> items = new ArrayList<>();
    while (!tokens.current().is("]")) {
      items.add(expression());
      if (!tokens.current().is("]")) {
        tokens.expect(",");
      }
    }
    tokens.next();
    return items;
  }

  private Expr dict() {
    List<Expr> keys = new ArrayList<>();
    List<Expr> values = new ArrayList<>();
    while (!tokens.current().is("}")) {
      keys.add(expression());
      tokens.expect(":");
      values.add(expression());
      if (!tokens.current().is("}")) {
        tokens.expect(",");
      }
    }
    tokens.next();
    return new Expr.DictOf(keys, values);
  }

  private Expr postfix(Expr of) {
    Expr value = of;
    while (true) {
      if (tokens.skipIf(".")) {
        Token name = tokens.next();
        if (name.is(NAME)) {
          value = new Expr.Attribute(value, name.value().toString());
        } else if (name.is(INTEGER)) {
          value = new Expr.Item(value, new Expr.Constant(name.value()));
        } else {
          throw syntax(name.line(), "expected name or number");
        }
      } else if (tokens.skipIf("[")) {
        value = subscript(value);
      } else if (tokens.current().is("(")) {
        value = new Expr.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  private Expr subscript(Expr of) {
    int line = tokens.current().line();
    List<Expr> indices = new ArrayList<>();
    Expr slice = null;
    while (!tokens.current().is("]")) {
      if (!indices.isEmpty() || slice != null) {
        tokens.expect(",");
      }
      Expr index = tokens.current().is(":") ? null : expression();
      if (index != null && !tokens.current().is(":")) {
        indices.add(index);
      } else {
        tokens.next();
        Expr to = bound();
        slice = new Expr.Slice(of, index, to, tokens.skipIf(":") ? bound() : null);
      }
    }
    tokens.next();
    if (slice != null && !indices.isEmpty()) {
      throw syntax(line, "invalid syntax");
    }
    return slice != null
        ? slice
        : new Expr.Item(of, indices.size() == 1 ? indices.getFirst() : new Expr.TupleOf(indices));
  }

  private @Nullable Expr bound() {
    Token token = tokens.current();
    return token.is(":") || token.is("]") || token.is(",") ? null : expression();
  }

  private Expr filtersAndTests(Expr of) {
    Expr value = of;
    while (true) {
      if (tokens.current().is("|")) {
        value = filters(value);
      } else if (tokens.skipIfName("is")) {
        value = test(value);
      } else if (tokens.current().is("(")) {
        value = new Expr.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  /** Any number of {@code | filter}. */
  Expr filters(Expr of) {
    Expr value = of;
    while (tokens.skipIf("|")) {
      value = filter(value);
    }
    return value;
  }

  /** One filter, at its name. */
  Expr filter(Expr of) {
    int line = tokens.current().line();
    String name = dottedName();
    names.filter(name, line);
    return new Expr.Filter(
        of, name, tokens.current().is("(") ? arguments() : Expr.ArgumentList.EMPTY);
  }

  private String dottedName() {
    StringBuilder name = new StringBuilder(tokens.expect(NAME).value().toString());
    while (tokens.skipIf(".")) {
      name.append('.').append(tokens.expect(NAME).value());
    }
    return name.toString();
  }

  private Expr test(Expr of) {
    boolean negated = tokens.skipIfName("not");
    int line = tokens.current().line();
    String name = dottedName();
    names.test(name, line);
    Expr.ArgumentList arguments = Expr.ArgumentList.EMPTY;
    if (tokens.current().is("(")) {
      arguments = arguments();
    } else if (startsOperand()) {
      if (tokens.current().isName("is")) {
        throw syntax(line, "You cannot chain multiple tests with is");
      }
      List<Expr> operand = List.of(postfix(primary()));
      arguments = new Expr.ArgumentList(operand, List.of(), List.of(), null, null);
    }
    Expr test = new Expr.Test(of, name, arguments);
    return negated ? new Expr.Not(test) : test;
  }

  private boolean startsOperand() {
    Token token = tokens.current();
    return switch (token.type()) {
      case NAME -> !token.isName("else") && !token.isName("or") && !token.isName("and");
      case STRING, INTEGER, FLOAT, "[", "{" -> true;
      default -> false;
    };
  }

  private Expr.ArgumentList arguments() {
    int line = tokens.expect("(").line();
    List<Expr> positional = new ArrayList<>();
    List<String> keys = new ArrayList<>();
    Set<String> different = new HashSet<>();
    List<Expr> values = new ArrayList<>();
    Expr rest = null;
    Expr more = null;
    boolean valid = true;
    while (!tokens.current().is(")")) {
      if (tokens.skipIf("*")) {
        valid &= rest == null && more == null;
        rest = expression();
      } else if (tokens.skipIf("**")) {
        valid &= more == null;
        more = expression();
      } else if (tokens.current().is(NAME) && tokens.look().is("=")) {
        valid &= more == null;
        String key = tokens.next().value().toString();
        tokens.next();
        if (!different.add(key)) {
          names.refuseLater(line, "keyword argument repeated: " + key);
        }
        keys.add(key);
        values.add(expression());
      } else {
        valid &= rest == null && more == null && keys.isEmpty();
        positional.add(expression());
      }
      if (!valid) {
        throw syntax(line, "invalid syntax for function call expression");
      }
      if (!tokens.current().is(")")) {
        tokens.expect(",");
      }
    }
    tokens.next();
    return new Expr.ArgumentList(positional, keys, values, rest, more);
  }
}
