package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import dev.qnext.text.jinja.Values.Key;
import dev.qnext.text.jinja.Values.Lazy;
import dev.qnext.text.jinja.Values.Undefined;
import dev.qnext.text.jinja.Values.View;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The filters for sequences. */
final class Sequences {
  private Sequences() {}

  static @Nullable Object call(
      Interpreter in, String name, @Nullable Object value, Arguments arguments) {
    switch (name) {
      case "list":
        arguments.bind(name, 0);
        return Access.toList(in, value);
      case "first":
        arguments.bind(name, 0);
        Iterator<@Nullable Object> it = Access.iterate(in, value);
        return it.hasNext() ? it.next() : Undefined.because("No first item, sequence was empty.");
      case "last":
        arguments.bind(name, 0);
        it = reversed(in, value);
        return it.hasNext() ? it.next() : Undefined.because("No last item, sequence was empty.");
      case "reverse":
        arguments.bind(name, 0);
        return reverse(in, value);
      case "join":
        @Nullable Object[] of = arguments.bind(name, 0, "d", "attribute");
        Iterator<@Nullable Object> parts = attributes(in, value, of[1]);
        return join(parts, of[0] == Values.ABSENT ? "" : Repr.str(of[0]));
      case "sum":
        return sum(in, value, arguments.bind(name, 0, "attribute", "start"));
      case "min":
      case "max":
        return extreme(in, value, name, arguments.bind(name, 0, "case_sensitive", "attribute"));
      case "sort":
        of = arguments.bind(name, 0, "reverse", "case_sensitive", "attribute");
        List<@Nullable Object> values = Access.toList(in, value);
        return Sorting.sorted(
            in, values, sortKeys(in, values, of[1], of[2]), Filters.isTrue(of[0]));
      case "dictsort":
        return dictSort(in, value, arguments.bind(name, 0, "case_sensitive", "by", "reverse"));
      case "groupby":
        return groups(in, value, arguments.bind(name, 1, "attribute", "default", "case_sensitive"));
      default:
        return new Lazy(new Generator(in, name, value, arguments));
    }
  }

  /** The generator that a filter returns: nothing happens before its items are asked for. */
  private static final class Generator extends Items {
    private final Interpreter in;
    private final String filter;
    private final @Nullable Object of;
    private final Arguments arguments;
    private @Nullable Iterator<@Nullable Object> items;

    Generator(Interpreter in, String filter, @Nullable Object of, Arguments arguments) {
      this.in = in;
      this.filter = filter;
      this.of = of;
      this.arguments = arguments;
    }

    @Override
    @Nullable Object draw() {
      in.enter();
      if (items == null) {
        items = start();
      }
      Object drawn = Values.ABSENT;
      while (drawn == Values.ABSENT && items.hasNext()) {
        Object item = items.next();
        drawn =
            switch (filter) {
              case "items", "unique", "batch", "slice" -> item;
              case "map" -> mapped(item);
              default -> isChosen(item) ? item : Values.ABSENT;
            };
      }
      in.leave();
      return drawn;
    }

    private Iterator<@Nullable Object> start() {
      switch (filter) {
        case "items":
          arguments.bind(filter, 0);
          return in.counted(items(of));
        case "unique":
          return in.counted(
              unique(in, of, arguments.bind(filter, 0, "case_sensitive", "attribute")));
        case "batch":
          return in.counted(batch(in, of, arguments.bind(filter, 1, "linecount", "fill_with")));
        case "slice":
          return in.counted(columns(in, of, arguments.bind(filter, 1, "slices", "fill_with")));
        default:
          return Operators.truth(of) ? Access.iterate(in, of) : Collections.emptyIterator();
      }
    }

    private @Nullable Object mapped(@Nullable Object item) {
      if (arguments.positional().isEmpty() && arguments.keywords().containsKey("attribute")) {
        @Nullable Object[] given = arguments.bind("map", 0, "attribute", "default");
        return attribute(in, item, given[0], given[1] == Values.ABSENT ? null : given[1]);
      }
      String name = argument(0, "map requires a filter argument");
      if (!Filters.exists(name)) {
        throw TemplateException.runtime("No filter named " + Repr.repr(name) + ".");
      }
      return Filters.call(in, name, item, arguments.rest(1));
    }

    private boolean isChosen(@Nullable Object item) {
      int test = filter.endsWith("attr") ? 1 : 0;
      Object tested = item;
      if (test == 1) {
        argument(0, "Missing parameter for attribute name");
        tested = attribute(in, item, arguments.positional().getFirst(), null);
      }
      if (arguments.positional().size() <= test) {
        return Operators.truth(tested) == filter.startsWith("select");
      }
      String name = argument(test, "");
      if (!Tests.exists(name)) {
        throw TemplateException.runtime("No test named " + Repr.repr(name) + ".");
      }
      boolean holds = Tests.call(in, name, tested, arguments.rest(test + 1));
      return holds == filter.startsWith("select");
    }

    private String argument(int index, String missing) {
      if (arguments.positional().size() <= index) {
        throw TemplateException.runtime(missing);
      }
      return Repr.str(arguments.positional().get(index));
    }
  }

  /** The value at a path such as {@code "function.name"} or {@code "0.id"}. */
  private static @Nullable Object attribute(
      Interpreter in, @Nullable Object item, @Nullable Object path, @Nullable Object otherwise) {
    String text = Values.text(path);
    if (text == null) {
      Object found = path == null || path == Values.ABSENT ? item : Access.item(in, item, path);
      return found instanceof Undefined && otherwise != null ? otherwise : found;
    }
    Object found = item;
    for (Object part : Strings.split(text, ".", -1)) {
      String name = Repr.str(part);
      Number index = Methods.isAll(name, "isdigit") ? Numbers.parseWhole(name, 10) : null;
      found = Access.item(in, found, index == null ? name : index);
      found = found instanceof Undefined && otherwise != null ? otherwise : found;
    }
    return found;
  }

  private static Iterator<@Nullable Object> attributes(
      Interpreter in, @Nullable Object value, @Nullable Object path) {
    if (path == null || path == Values.ABSENT) {
      return Access.iterate(in, value);
    }
    List<@Nullable Object> found = new ArrayList<>();
    for (Iterator<@Nullable Object> it = Access.iterate(in, value); it.hasNext(); ) {
      found.add(attribute(in, it.next(), path, null));
    }
    return found.iterator();
  }

  private static @Nullable Object folded(@Nullable Object value, @Nullable Object caseSensitive) {
    String text = Filters.isTrue(caseSensitive) ? null : Values.text(value);
    return text == null ? value : Strings.lower(text);
  }

  /** One list of folded attributes for each value; {@code "a,b"} names two. */
  private static List<@Nullable Object> sortKeys(
      Interpreter in,
      List<@Nullable Object> values,
      @Nullable Object caseSensitive,
      @Nullable Object attribute) {
    String names = Values.text(attribute);
    List<@Nullable Object> paths = new ArrayList<>();
    paths.add(attribute);
    paths = names == null ? paths : Strings.split(names, ",", -1);
    List<@Nullable Object> keys = new ArrayList<>(values.size());
    for (Object value : values) {
      List<@Nullable Object> key = new ArrayList<>(paths.size());
      for (Object path : paths) {
        key.add(folded(attribute(in, value, path, null), caseSensitive));
      }
      keys.add(key);
    }
    return keys;
  }

  private static List<@Nullable Object> items(@Nullable Object value) {
    if (value instanceof Undefined) {
      return List.of();
    }
    if (!(value instanceof Map)) {
      throw type("Can only get item pairs from a mapping.");
    }
    return Access.items(new View("items", Values.map(value)));
  }

  private static Iterator<@Nullable Object> reversed(Interpreter in, @Nullable Object value) {
    if (!Access.hasLength(value) || value instanceof Loop) {
      throw type("'%s' object is not reversible", Values.typeName(value));
    }
    List<@Nullable Object> items = Access.toList(in, value);
    return items.reversed().iterator();
  }

  private static @Nullable Object reverse(Interpreter in, @Nullable Object value) {
    String text = Values.text(value);
    if (text != null) {
      return Access.slice(value, null, null, -1L);
    }
    if (value instanceof Lazy) {
      return Access.toList(in, value).reversed();
    }
    if (!Access.isIterable(value)) {
      throw TemplateException.runtime("argument must be iterable");
    }
    return new Lazy(reversed(in, value));
  }

  private static String join(Iterator<@Nullable Object> parts, String separator) {
    StringBuilder out = new StringBuilder();
    String comma = "";
    while (parts.hasNext()) {
      out.append(comma).append(Repr.str(parts.next()));
      comma = separator;
      Interpreter.checkText(out.length());
    }
    return out.toString();
  }

  private static @Nullable Object sum(
      Interpreter in, @Nullable Object value, @Nullable Object[] of) {
    Object sum = of[1] == Values.ABSENT ? (Object) 0L : of[1];
    if (Values.text(sum) != null) {
      throw type("sum() can't sum strings [use ''.join(seq) instead]");
    }
    for (Iterator<@Nullable Object> it = attributes(in, value, of[0]); it.hasNext(); ) {
      sum = in.made(Operators.binary(in, "+", sum, it.next()));
    }
    return sum;
  }

  private static @Nullable Object extreme(
      Interpreter in, @Nullable Object value, String name, @Nullable Object[] of) {
    Object best = Values.ABSENT;
    Object bestKey = null;
    for (Iterator<@Nullable Object> it = Access.iterate(in, value); it.hasNext(); ) {
      Object item = it.next();
      Object key = folded(attribute(in, item, of[1], null), of[0]);
      String operator = name.equals("min") ? "<" : ">";
      if (best == Values.ABSENT || Operators.compare(in, operator, key, bestKey)) {
        best = item;
        bestKey = key;
      }
    }
    return best == Values.ABSENT
        ? Undefined.because("No aggregated item, sequence was empty.")
        : best;
  }

  private static Object dictSort(Interpreter in, @Nullable Object value, @Nullable Object[] of) {
    String by = of[1] == Values.ABSENT ? "key" : Repr.str(of[1]);
    if (!by.equals("key") && !by.equals("value")) {
      throw TemplateException.runtime("You can only sort by either \"key\" or \"value\"");
    }
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    } else if (!(value instanceof Map)) {
      throw type("'%s' object has no attribute 'items'", Values.typeName(value));
    }
    View items = new View("items", Values.map(value));
    List<@Nullable Object> keys = new ArrayList<>();
    for (Object key : Access.items(new View(by + "s", Values.map(value)))) {
      keys.add(folded(key, of[0]));
    }
    return Sorting.sorted(in, Access.items(items), keys, Filters.isTrue(of[2]));
  }

  private static List<@Nullable Object> unique(
      Interpreter in, @Nullable Object value, @Nullable Object[] of) {
    Set<Object> seen = new HashSet<>();
    List<@Nullable Object> result = new ArrayList<>();
    for (Iterator<@Nullable Object> it = Access.iterate(in, value); it.hasNext(); ) {
      Object item = it.next();
      if (seen.add(Key.of(in, folded(attribute(in, item, of[1], null), of[0])))) {
        result.add(item);
      }
    }
    return result;
  }

  private static Object groups(Interpreter in, @Nullable Object value, @Nullable Object[] of) {
    Object otherwise = of[1] == Values.ABSENT ? null : of[1];
    List<@Nullable Object> values = Access.toList(in, value);
    List<@Nullable Object> keys = new ArrayList<>();
    for (Object item : values) {
      keys.add(folded(attribute(in, item, of[0], otherwise), of[2]));
    }
    List<@Nullable Object> sorted = Sorting.sorted(in, values, keys, false);
    List<@Nullable Object> groups = new ArrayList<>();
    Object last = Values.ABSENT;
    List<@Nullable Object> group = new ArrayList<>();
    for (Object item : sorted) {
      Object name = attribute(in, item, of[0], otherwise);
      Object key = folded(name, of[2]);
      if (last == Values.ABSENT || !Operators.equal(in, key, last)) {
        group = new ArrayList<>();
        groups.add(Access.pair(name, group));
        last = key;
      }
      group.add(item);
    }
    return groups;
  }

  private static List<@Nullable Object> batch(
      Interpreter in, @Nullable Object value, @Nullable Object[] of) {
    int size = Methods.whole(of[0], 1);
    List<@Nullable Object> batches = new ArrayList<>();
    List<@Nullable Object> batch = new ArrayList<>();
    for (Iterator<@Nullable Object> it = Access.iterate(in, value); it.hasNext(); ) {
      if (batch.size() == size) {
        batches.add(batch);
        batch = new ArrayList<>();
      }
      batch.add(it.next());
    }
    boolean filled = of[1] != null && of[1] != Values.ABSENT;
    Interpreter.checkText(size);
    while (filled && !batch.isEmpty() && batch.size() < size) {
      in.step(1);
      batch.add(of[1]);
    }
    if (!batch.isEmpty()) {
      batches.add(batch);
    }
    return batches;
  }

  private static List<@Nullable Object> columns(
      Interpreter in, @Nullable Object value, @Nullable Object[] of) {
    List<@Nullable Object> items = Access.toList(in, value);
    int count = Methods.whole(of[0], 1);
    if (count == 0) {
      throw type("integer division or modulo by zero");
    }
    List<@Nullable Object> columns = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < count; i++) {
      in.step(1);
      boolean longer = i < items.size() % count;
      int to = from + items.size() / count + (longer ? 1 : 0);
      List<@Nullable Object> column = new ArrayList<>(items.subList(from, to));
      if (of[1] != null && of[1] != Values.ABSENT && !longer) {
        column.add(of[1]);
      }
      columns.add(column);
      from = to;
    }
    return columns;
  }
}
