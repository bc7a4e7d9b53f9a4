package dev.qnext.text;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/**
 * Token ids and the bytes they stand for, both ways. Ids are those of the file: neither dense nor
 * in the order of the merges.
 *
 * <p>An entry with a character that is not of the byte-level alphabet is foreign: no text becomes
 * it, but it has an id and decodes to its own characters.
 */
final class Vocabulary {
  private final TokenBytes entries;
  private final Map<String, Integer> foreign = new HashMap<>();
  private final BitSet ids;
  // Bytes to id, open addressing: a slot holds id + 1, and 0 is free.
  private int[] slots;
  private int count;

  Vocabulary() {
    entries = new TokenBytes();
    ids = new BitSet();
    slots = new int[2048];
  }

  private Vocabulary(FlatReader in) {
    entries = TokenBytes.restore(in);
    ids = BitSet.valueOf(in.longs());
    slots = in.ints();
    count = in.number();
    for (int i = in.number(); i > 0; i--) {
      foreign.put(in.text(), in.number());
    }
  }

  static Vocabulary restore(FlatReader in) {
    return new Vocabulary(in);
  }

  void save(FlatWriter out) {
    entries.copy(size()).save(out);
    out.longs(ids.toLongArray());
    out.ints(slots);
    out.number(count);
    out.number(foreign.size());
    for (Map.Entry<String, Integer> entry : foreign.entrySet()) {
      out.text(entry.getKey());
      out.number(entry.getValue());
    }
  }

  /** Adds an entry in the byte-level alphabet; false where its bytes or its id are taken. */
  boolean add(byte[] bytes, int id) {
    int slot = slot(bytes, 0, bytes.length);
    if (slots[slot] != 0 || ids.get(id)) {
      return false;
    }
    ids.set(id);
    entries.set(id, bytes, 0, bytes.length);
    slots[slot] = id + 1;
    if (++count > slots.length / 4 * 3) {
      grow();
    }
    return true;
  }

  /** Adds a foreign entry; false where it or its id is taken. */
  boolean addForeign(String token, int id) {
    if (ids.get(id) || foreign.putIfAbsent(token, id) != null) {
      return false;
    }
    ids.set(id);
    return true;
  }

  /** The largest id and one more. */
  int size() {
    return ids.length();
  }

  boolean contains(int id) {
    return ids.get(id);
  }

  /** The id of the entry that stands for {@code bytes[from, to)}, or -1. */
  int id(byte[] bytes, int from, int to) {
    return slots[slot(bytes, from, to)] - 1;
  }

  /** The id of the entry as the file writes it ({@code "Ġthe"}), or -1. */
  int id(String token) {
    byte[] bytes = ByteLevel.bytes(token);
    return bytes == null ? foreign.getOrDefault(token, -1) : id(bytes, 0, bytes.length);
  }

  /** What each id below {@code size} decodes to. */
  TokenBytes decoded(int size) {
    TokenBytes decoded = entries.copy(size);
    for (Map.Entry<String, Integer> entry : foreign.entrySet()) {
      byte[] bytes = ByteLevel.decoded(entry.getKey());
      decoded.set(entry.getValue(), bytes, 0, bytes.length);
    }
    return decoded;
  }

  /** The slot that holds these bytes, or the free one where they belong. */
  private int slot(byte[] bytes, int from, int to) {
    int mask = slots.length - 1;
    int slot = hash(bytes, from, to) & mask;
    while (slots[slot] != 0) {
      if (entries.equals(slots[slot] - 1, bytes, from, to)) {
        break;
      }
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private void grow() {
    int[] old = slots;
    slots = new int[old.length * 2];
    for (int value : old) {
      if (value != 0) {
        slots[slot(entries.all(), entries.start(value - 1), entries.end(value - 1))] = value;
      }
    }
  }

  private static int hash(byte[] bytes, int from, int to) {
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = hash * 31 + bytes[i];
    }
    hash *= 0x9E3779B9;
    return hash ^ hash >>> 15;
  }
}
