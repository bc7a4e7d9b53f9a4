package dev.qnext.cli;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Which of the known words was meant by one that is not known. */
final class Nearest {
  private static final int LETTERS_PER_MISTAKE = 3;

  private Nearest() {}

  /**
   * Null if none is near: a mistake for every three letters is allowed. A word that the typed one
   * begins with is nearer than one that only looks alike.
   */
  static @Nullable String of(String typed, Iterable<String> words) {
    String nearest = null;
    int least = Math.max(1, typed.length() / LETTERS_PER_MISTAKE) + 1;
    for (String word : words) {
      int mistakes =
          word.length() > LETTERS_PER_MISTAKE && typed.startsWith(word) ? 1 : mistakes(typed, word);
      if (mistakes < least) {
        least = mistakes;
        nearest = word;
      }
    }
    return nearest;
  }

  /**
   * The nearest first: those that hold the word, then by the share of letters that are mistaken.
   * The case of letters does not count.
   *
   * @param most so many at most; fewer where fewer are known
   */
  static List<String> sorted(String word, Collection<String> known, int most) {
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
    return (double) mistakes(word, candidate)
        / Math.max(1, Math.max(word.length(), candidate.length()));
  }

  /** Letters that are wrong, missing, too many, or have changed places with their neighbour. */
  static int mistakes(String a, String b) {
    int[][] least = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      for (int j = 0; j <= b.length(); j++) {
        if (i == 0 || j == 0) {
          least[i][j] = i + j;
          continue;
        }
        int wrong = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
        int best = Math.min(least[i - 1][j], least[i][j - 1]) + 1;
        best = Math.min(best, least[i - 1][j - 1] + wrong);
        boolean swapped =
            i > 1
                && j > 1
                && a.charAt(i - 1) == b.charAt(j - 2)
                && a.charAt(i - 2) == b.charAt(j - 1);
        least[i][j] = swapped ? Math.min(best, least[i - 2][j - 2] + 1) : best;
      }
    }
    return least[a.length()][b.length()];
  }
}
