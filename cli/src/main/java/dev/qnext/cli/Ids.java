package dev.qnext.cli;

import java.util.ArrayList;
import java.util.List;

/** Token ids in text: numbers between spaces, commas or brackets. */
final class Ids {
  private Ids() {}

  static int[] parse(String text) {
    List<Integer> ids = new ArrayList<>();
    for (String word : text.split("[\\s,\\[\\]]+", -1)) {
      if (word.isEmpty()) {
        continue;
      }
      try {
        ids.add(Integer.parseInt(word));
      } catch (NumberFormatException e) {
        throw new UsageException(
            "\"%s\" is not a token id; give whole numbers, such as 12,7,99".formatted(word), e);
      }
    }
    return ids.stream().mapToInt(i -> i).toArray();
  }

  /** The option's words; without any, the numbers on standard input. */
  static int[] of(List<String> words) {
    String text = String.join(" ", words);
    return parse(text.isBlank() || text.equals("-") ? Input.standardInput() : text);
  }
}
