package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.syntax;

import dev.qnext.text.jinja.Lexer.Token;
import org.jspecify.annotations.Nullable;

/** The tokens with one in view, and one more on demand. */
final class TokenStream {
  private final Lexer lexer;
  private Token current;
  private @Nullable Token ahead;

  TokenStream(Lexer lexer) {
    this.lexer = lexer;
    current = lexer.next();
  }

  Token current() {
    return current;
  }

  /** Goes on; returns the token that was current. */
  Token next() {
    Token token = current;
    current = ahead != null ? ahead : lexer.next();
    ahead = null;
    return token;
  }

  Token look() {
    if (ahead == null) {
      ahead = lexer.next();
    }
    return ahead;
  }

  boolean skipIf(String type) {
    boolean found = current.is(type);
    if (found) {
      next();
    }
    return found;
  }

  boolean skipIfName(String name) {
    boolean found = current.isName(name);
    if (found) {
      next();
    }
    return found;
  }

  Token expect(String type) {
    return expect(current.is(type), type);
  }

  void expectName(String name) {
    expect(current.isName(name), name);
  }

  private Token expect(boolean found, String wanted) {
    if (!found) {
      throw syntax(
          current.line(),
          current.is(Lexer.END)
              ? "unexpected end of template, expected '" + wanted + "'."
              : "expected token '" + wanted + "', got '" + current.describe() + "'");
    }
    return next();
  }
}
