package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Function;
import dev.qnext.text.jinja.Values.Tuple;
import dev.qnext.text.jinja.Values.Undefined;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A macro with the scope it was defined in; the body of a call block is one without a name. */
record Macro(@Nullable String name, Definition definition, Scope scope) implements Function {
  /** {@code defaults} belong to the last parameters; the flags say what the body reads. */
  record Definition(
      List<String> parameters,
      List<Expr> defaults,
      List<Stmt> body,
      boolean readsCaller,
      boolean readsKeywords,
      boolean readsRest) {}

  @Nullable Object property(String property) {
    return switch (property) {
      case "name" -> name;
      case "arguments" -> new Tuple(List.copyOf(definition.parameters()));
      case "catch_kwargs" -> definition.readsKeywords();
      case "catch_varargs" -> definition.readsRest();
      case "caller" -> definition.readsCaller();
      default -> Values.ABSENT;
    };
  }

  @Override
  public @Nullable Object call(Interpreter in, Arguments arguments) {
    List<String> parameters = definition.parameters();
    List<@Nullable Object> given = arguments.positional();
    Map<Object, @Nullable Object> keywords = new LinkedHashMap<>(arguments.keywords());
    Scope inner = new Scope(scope);
    int count = parameters.size();
    boolean explicitCaller = parameters.contains("caller");
    List<Integer> missing = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String parameter = parameters.get(i);
      if (i < given.size()) {
        inner.set(parameter, given.get(i));
      } else if (keywords.containsKey(parameter)) {
        inner.set(parameter, keywords.remove(parameter));
      } else {
        inner.set(parameter, Undefined.variable(parameter));
        missing.add(i);
      }
    }
    if (definition.readsCaller() && !explicitCaller) {
      Object caller = keywords.remove("caller");
      inner.set("caller", caller == null ? Undefined.because("No caller defined") : caller);
    }
    if (definition.readsKeywords()) {
      inner.set("kwargs", keywords);
    } else if (!keywords.isEmpty()) {
      throw type(
          "macro %s takes no keyword argument %s",
          Repr.repr(name), Repr.repr(keywords.keySet().iterator().next()));
    }
    if (definition.readsRest()) {
      int from = Math.min(count, given.size());
      inner.set("varargs", new Tuple(given.subList(from, given.size())));
    } else if (given.size() > count) {
      throw type("macro %s takes not more than %d argument(s)", Repr.repr(name), count);
    }
    int line = in.line();
    Scope outside = in.enterMacro(inner);
    int first = count - definition.defaults().size();
    for (int i : missing) {
      String parameter = parameters.get(i);
      String hint = "parameter " + Repr.repr(parameter) + " was not provided";
      inner.set(
          parameter,
          i >= first ? in.eval(definition.defaults().get(i - first)) : Undefined.because(hint));
    }
    StringBuilder text = in.divert();
    in.run(definition.body());
    String result = in.restore(text);
    in.leaveMacro(outside, line);
    return result;
  }

  @Override
  public String toString() {
    return "<Macro " + (name == null ? "anonymous" : Repr.repr(name)) + ">";
  }
}
