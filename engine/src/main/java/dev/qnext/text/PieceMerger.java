package dev.qnext.text;

/**
 * Merges the bytes of one piece. They begin as one token each; then the two adjacent tokens whose
 * merge has the lowest rank become one, leftmost first on a tie, until no two merge. A byte without
 * an entry is left out, as the reference does. Source: {@code Word::merge_all} of the tokenizers
 * library.
 *
 * <p>Most pieces have a few bytes: the lowest rank is looked for from the left. In long ones
 * candidates wait in a heap, so that a piece of n bytes costs O(n log n). For one thread.
 */
final class PieceMerger {
  private static final int SHORT = 64;
  private static final int NONE = BytePairMerges.NONE;

  private final BytePairModel model;
  private final BytePairMerges merges;

  // By place: a token, and the rank of its merge with the one after it.
  private final int[] tokens = new int[SHORT];
  private final int[] ranks = new int[SHORT];

  PieceMerger(BytePairModel model) {
    this.model = model;
    this.merges = model.merges();
  }

  /**
   * Writes the ids of a piece, no more than it has bytes, from a place on; returns their number.
   */
  int merge(byte[] bytes, int length, int[] ids, int at) {
    if (length > SHORT) {
      return new LongPiece(model, bytes, length).merge(ids, at);
    }
    int n = 0;
    byte before = 0;
    for (int i = 0; i < length; i++) {
      byte b = bytes[i];
      int id = model.id(b);
      if (id >= 0) {
        if (n > 0) {
          ranks[n - 1] = model.rank(before, b);
        }
        tokens[n++] = id;
        before = b;
      }
    }
    n = mergeFromTheLeft(n);
    for (int i = 0; i < n; i++) {
      ids[at + i] = tokens[i];
    }
    return n;
  }

  /** Merges the first {@code n} tokens; returns how many are left. */
  private int mergeFromTheLeft(int n) {
    int left = n;
    while (left > 1) {
      int place = 0;
      int rank = ranks[0];
      for (int i = 1; i < left - 1; i++) {
        if (ranks[i] < rank) {
          rank = ranks[i];
          place = i;
        }
      }
      if (rank == NONE) {
        break;
      }
      tokens[place] = merges.result(rank);
      left--;
      for (int i = place + 1; i < left; i++) {
        tokens[i] = tokens[i + 1];
        ranks[i - 1] = ranks[i];
      }
      if (place < left - 1) {
        ranks[place] = merges.rank(tokens[place], tokens[place + 1]);
      }
      if (place > 0) {
        ranks[place - 1] = merges.rank(tokens[place - 1], tokens[place]);
      }
    }
    return left;
  }
}
