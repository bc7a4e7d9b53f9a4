package dev.qnext.text;

import java.util.Arrays;

/**
 * The ids of pieces that were encoded before, as most pieces of a text come again. Bounded: when it
 * is full it forgets everything. For one thread.
 */
final class PieceMemory {
  private static final int MOST_SLOTS = 1 << 16;
  private static final int MOST_RECORDED = 1 << 20;

  /** Further on nothing is looked for or kept: text can be made of pieces with the same hash. */
  private static final int MOST_PROBES = 64;

  // Open addressing, at most half full: hash << 32 | place of the record. Place 0 is free.
  private long[] slots = new long[1 << 10];
  private int pieces;
  // A record: length of the piece, number of ids, UTF-16 units, ids.
  private int[] records = new int[1 << 12];
  private int used = 1;

  static int hash(char[] text, int from, int to) {
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = hash * 31 + text[i];
    }
    hash *= 0x9E3779B9;
    return hash ^ hash >>> 15;
  }

  /** The record of the piece {@code text[from, to)}, or 0. */
  int find(int hash, char[] text, int from, int to) {
    long[] table = slots;
    for (int probe = 0; probe < MOST_PROBES; probe++) {
      long entry = table[hash + probe & table.length - 1];
      if (entry == 0) {
        break;
      }
      if ((int) (entry >> 32) == hash && isAt((int) entry, text, from, to)) {
        return (int) entry;
      }
    }
    return 0;
  }

  private boolean isAt(int record, char[] text, int from, int to) {
    int length = to - from;
    int[] known = records;
    if (known[record] != length) {
      return false;
    }
    int at = record + 2;
    for (int i = 0; i < length; i++) {
      if (known[at + i] != text[from + i]) {
        return false;
      }
    }
    return true;
  }

  /** How many ids a record has. */
  int count(int record) {
    return records[record + 1];
  }

  /** Copies the ids of a record. */
  void copy(int record, int[] into, int at) {
    int[] known = records;
    int count = known[record + 1];
    int first = record + 2 + known[record];
    for (int i = 0; i < count; i++) {
      into[at + i] = known[first + i];
    }
  }

  /**
   * Notes that the piece {@code text[from, to)}, which was not found, has {@code ids[start, end)}.
   */
  void add(int hash, char[] text, int from, int to, int[] ids, int start, int end) {
    int size = 2 + to - from + end - start;
    makeRoom(size);
    put((long) hash << 32 | used);
    pieces++;
    records[used++] = to - from;
    records[used++] = end - start;
    for (int i = from; i < to; i++) {
      records[used++] = text[i];
    }
    for (int i = start; i < end; i++) {
      records[used++] = ids[i];
    }
  }

  private void makeRoom(int size) {
    if (2 * pieces == MOST_SLOTS || used + size > MOST_RECORDED) {
      Arrays.fill(slots, 0);
      pieces = 0;
      used = 1;
    }
    if (used + size > records.length) {
      records = Arrays.copyOf(records, Math.min(MOST_RECORDED, 2 * records.length));
    }
    if (2 * pieces == slots.length) {
      long[] old = slots;
      slots = new long[4 * old.length];
      for (long entry : old) {
        if (entry != 0) {
          put(entry);
        }
      }
    }
  }

  private void put(long entry) {
    int hash = (int) (entry >> 32);
    int free = 0;
    while (free < MOST_PROBES && slots[hash + free & slots.length - 1] != 0) {
      free++;
    }
    slots[hash + free % MOST_PROBES & slots.length - 1] = entry;
  }
}
