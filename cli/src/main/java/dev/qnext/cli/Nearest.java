package dev.qnext.cli;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Which of the known words were perhaps meant by one that is not known. */
final class Nearest {
  private Nearest() {}

  /**
   * The nearest first: those that hold the word, then by the share of letters to insert, remove or
   * replace. The case of letters does not count.
   *
   * @param most so many at most; fewer where fewer are known
   */
  static List<String> of(String word, Collection<String> known, int most) {
    String given = word.toLowerCase(Locale.ROOT);
    List<String> sorted = new ArrayList<>(known);
    sorted.sort(
        Comparator.comparingDouble(
            candidate -> distance(given, candidate.toLowerCase(Locale.ROOT))));
    return sorted.subList(0, Math.min(most, sorted.size()));
  }

  /** 0 to 1, or -1 where the candidate holds the word. */
  private static double distance(String word, String candidate) {
    if (!word.isEmpty() && candidate.contains(word)) {
      return -1;
    }
    return (double) edits(word, candidate)
        / Math.max(1, Math.max(word.length(), candidate.length()));
  }

  /** Levenshtein's distance. */
  private static int edits(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
