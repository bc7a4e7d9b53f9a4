package dev.qnext.text.jinja;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The variables of a template, a loop round, a macro call or a block: what is set inside stays
 * inside, what is not found is looked for outside.
 */
final class Scope {
  private final @Nullable Scope outer;
  private final Map<String, @Nullable Object> own = new HashMap<>(8);

  Scope(@Nullable Scope outer) {
    this.outer = outer;
  }

  void set(String name, @Nullable Object value) {
    own.put(name, value);
  }

  @Nullable Object own(String name) {
    return own.getOrDefault(name, Values.ABSENT);
  }

  /** {@link Values#ABSENT} where no scope has the name. */
  @Nullable Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Object value = scope.own.getOrDefault(name, Values.ABSENT);
      if (value != Values.ABSENT) {
        return value;
      }
    }
    return Values.ABSENT;
  }
}
