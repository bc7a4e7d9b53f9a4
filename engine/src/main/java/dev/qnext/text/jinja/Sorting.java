package dev.qnext.text.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Python's stable sort: values by their keys, compared with {@code <} alone. (Java's own sort
 * refuses orders that are not consistent, such as those with NaN.)
 */
final class Sorting {
  private Sorting() {}

  static List<@Nullable Object> sorted(
      Interpreter in, List<@Nullable Object> values, List<@Nullable Object> keys, boolean reverse) {
    int[] order = new int[values.size()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    int[] spare = new int[order.length];
    for (int width = 1; width < order.length; width *= 2) {
      for (int from = 0; from < order.length; from += 2 * width) {
        int middle = Math.min(from + width, order.length);
        merge(
            in, keys, reverse, order, spare, from, middle, Math.min(middle + width, order.length));
      }
      int[] merged = spare;
      spare = order;
      order = merged;
    }
    List<@Nullable Object> result = new ArrayList<>(order.length);
    for (int index : order) {
      result.add(values.get(index));
    }
    return result;
  }

  private static void merge(
      Interpreter in,
      List<@Nullable Object> keys,
      boolean reverse,
      int[] from,
      int[] to,
      int begin,
      int middle,
      int end) {
    int left = begin;
    int right = middle;
    for (int i = begin; i < end; i++) {
      boolean takeRight = left >= middle;
      if (!takeRight && right < end) {
        Object a = keys.get(from[left]);
        Object b = keys.get(from[right]);
        takeRight = reverse ? Operators.compare(in, "<", a, b) : Operators.compare(in, "<", b, a);
      }
      to[i] = from[takeRight ? right++ : left++];
    }
  }
}
