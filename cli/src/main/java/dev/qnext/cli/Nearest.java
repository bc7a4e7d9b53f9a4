package dev.qnext.cli;

import org.jspecify.annotations.Nullable;

/** The word that somebody meant who typed another. */
final class Nearest {
  private static final int LETTERS_PER_MISTAKE = 3;

  private Nearest() {}

  /** Null if none is near: a mistake for every three letters is allowed. */
  static @Nullable String of(String typed, Iterable<String> words) {
    String nearest = null;
    int least = Math.max(1, typed.length() / LETTERS_PER_MISTAKE) + 1;
    for (String word : words) {
      int mistakes = mistakes(typed, word);
      if (mistakes < least) {
        least = mistakes;
        nearest = word;
      }
    }
    return nearest;
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
