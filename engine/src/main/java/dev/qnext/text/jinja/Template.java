package dev.qnext.text.jinja;

import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A chat template in the subset of Jinja that chat templates use, with the meaning that Python's
 * jinja2 gives it in the environment of transformers: {@code trim_blocks}, {@code lstrip_blocks},
 * loop controls, the {@code generation} tag, the immutable sandbox, {@code tojson} without HTML
 * escapes, {@code raise_exception}, {@code strftime_now}.
 *
 * <p>A template comes with a model, so it is not trusted: it reaches nothing but its variables, and
 * steps, text and depth are limited. All failures are {@link TemplateException}s.
 */
public final class Template {
  private final String name;
  private final List<Stmt> body;
  private final Set<String> setFirst;

  private Template(String name, List<Stmt> body, Set<String> setFirst) {
    this.name = name;
    this.body = body;
    this.setFirst = setFirst;
  }

  /** {@code name}: the file, for messages. */
  public static Template parse(String source, String name) {
    try {
      Parser parser = new Parser(new Lexer(source));
      return new Template(name, parser.parse(), parser.setFirst());
    } catch (TemplateException e) {
      throw e.at(name, 1);
    } catch (StackOverflowError e) {
      throw TemplateException.limit(Interpreter.DEEP).at(name, 1);
    }
  }

  /**
   * The text for these variables, which are plain values as {@link dev.qnext.json.Json} makes.
   *
   * @param clock for {@code strftime_now}, null for the system's
   */
  public String render(Map<String, ?> variables, @Nullable Clock clock) {
    int line = 1;
    Interpreter interpreter = null;
    try {
      interpreter = new Interpreter(variables, clock);
      return interpreter.render(body, setFirst);
    } catch (TemplateException e) {
      line = interpreter == null ? 1 : interpreter.line();
      throw e.at(name, line);
    } catch (StackOverflowError e) {
      // The depth is counted, but the caller may have left little of the stack.
      line = interpreter == null ? 1 : interpreter.line();
      throw TemplateException.limit(Interpreter.DEEP).at(name, line);
    }
  }
}
