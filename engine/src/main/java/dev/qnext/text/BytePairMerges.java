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

  /** Ids below 2<sup>22</sup> and ranks below this one share 64 bits. */
  static final int MOST = (1 << 20) - 1;

  private static final int ID_BITS = 22;
  private static final int RANK_BITS = 20;
  private static final long FREE = -1;

  private final int[] results;
  // Open addressing: left id, right id, rank, from the high bits to the low ones.
  private final long[] slots;

  private BytePairMerges(int[] results, long[] slots) {
    this.results = results;
    this.slots = slots;
  }

  /**
   * @param lefts ids of the left parts, by rank
   * @param rights ids of the right parts, by rank
   * @param results ids of the merged tokens, by rank; where a pair comes twice the later one counts
   */
  BytePairMerges(int[] lefts, int[] rights, int[] results) {
    // Between a third and two thirds full.
    this(
        results,
        new long[Integer.highestOneBit(Math.max(8, results.length + results.length / 2)) * 2]);
    Arrays.fill(slots, FREE);
    for (int rank = 0; rank < results.length; rank++) {
      long pair = pair(lefts[rank], rights[rank]);
      int slot = slot(pair);
      while (slots[slot] != FREE && slots[slot] >>> RANK_BITS != pair) {
        slot = slot + 1 & slots.length - 1;
      }
      slots[slot] = pair << RANK_BITS | rank;
    }
  }

  static BytePairMerges restore(FlatReader in) {
    return new BytePairMerges(in.ints(), in.longs());
  }

  void save(FlatWriter out) {
    out.ints(results);
    out.longs(slots);
  }

  /** The rank of the merge of two adjacent tokens, or {@link #NONE}. */
  int rank(int left, int right) {
    long[] table = slots;
    long pair = pair(left, right);
    int slot = slot(pair);
    while (true) {
      long entry = table[slot];
      if (entry == FREE) {
        return NONE;
      }
      if (entry >>> RANK_BITS == pair) {
        return (int) entry & MOST;
      }
      slot = slot + 1 & table.length - 1;
    }
  }

  /** The token that the merge makes. */
  int result(int rank) {
    return results[rank];
  }

  private int slot(long pair) {
    return (int) (pair * 0x9E3779B97F4A7C15L >>> 32) & slots.length - 1;
  }

  private static long pair(int left, int right) {
    return (long) left << ID_BITS | right;
  }
}
