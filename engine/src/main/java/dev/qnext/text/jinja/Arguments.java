package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The evaluated arguments of one call; the keys of {@code keywords} are strings. */
record Arguments(List<@Nullable Object> positional, Map<Object, @Nullable Object> keywords) {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  /**
   * One value for each parameter name, {@link Values#ABSENT} where it was not given; what does not
   * fit, or less than the first {@code required}, is refused.
   */
  @Nullable Object[] bind(String function, int required, String... names) {
    @Nullable Object[] values = new @Nullable Object[names.length];
    Arrays.fill(values, Values.ABSENT);
    if (positional.size() > names.length) {
      throw type(
          "%s() takes at most %d arguments (%d given)", function, names.length, positional.size());
    }
    for (int i = 0; i < positional.size(); i++) {
      values[i] = positional.get(i);
    }
    int given = positional.size();
    for (int i = 0; i < names.length && !keywords.isEmpty(); i++) {
      if (keywords.containsKey(names[i])) {
        if (values[i] != Values.ABSENT) {
          throw type("%s() got multiple values for argument '%s'", function, names[i]);
        }
        values[i] = keywords.get(names[i]);
        given++;
      }
    }
    if (given != positional.size() + keywords.size()) {
      throw type("%s() got an unexpected keyword argument", function);
    }
    for (int i = 0; i < required; i++) {
      if (values[i] == Values.ABSENT) {
        throw type("%s() missing a required argument: '%s'", function, names[i]);
      }
    }
    return values;
  }

  /** The same arguments without the first positional one. */
  Arguments rest(int from) {
    return new Arguments(positional.subList(from, positional.size()), keywords);
  }
}
