package dev.qnext.text;

import java.util.Arrays;

/**
 * The merges of a byte-pair encoding: which two adjacent tokens become which one, and in what order
 * of precedence. The rank of a merge is its place in the file's list and has nothing to do with
 * ids.
 */
final class BytePairMerges {
  /** The rank of a pair that does not merge; larger than every rank. */
  static final int NONE = Integer.MAX_VALUE;

  private static final long FREE = -1;

  private final int[] results;
  // Pair (left id, right id) to rank, open addressing.
  private final long[] pairs;
  private final int[] ranks;
  private final int mask;

  /**
   * @param lefts ids of the left parts, by rank
   * @param rights ids of the right parts, by rank
   * @param results ids of the merged tokens, by rank; where a pair comes twice the later one counts
   */
  BytePairMerges(int[] lefts, int[] rights, int[] results) {
    this.results = results;
    int capacity = Integer.highestOneBit(Math.max(1, results.length)) * 4;
    pairs = new long[capacity];
    ranks = new int[capacity];
    mask = capacity - 1;
    Arrays.fill(pairs, FREE);
    for (int rank = 0; rank < results.length; rank++) {
      int slot = slot(lefts[rank], rights[rank]);
      pairs[slot] = pair(lefts[rank], rights[rank]);
      ranks[slot] = rank;
    }
  }

  /** The rank of the merge of two adjacent tokens, or {@link #NONE}. */
  int rank(int left, int right) {
    int slot = slot(left, right);
    return pairs[slot] == FREE ? NONE : ranks[slot];
  }

  /** The token that the merge makes. */
  int result(int rank) {
    return results[rank];
  }

  private int slot(int left, int right) {
    long pair = pair(left, right);
    long hash = pair * 0x9E3779B97F4A7C15L;
    int slot = (int) (hash >>> 32) & mask;
    while (pairs[slot] != FREE && pairs[slot] != pair) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private static long pair(int left, int right) {
    return (long) left << 32 | right;
  }
}
