package dev.qnext.text;

import java.util.Arrays;

/**
 * A string of bytes for each id, all in one array: a vocabulary is 150,000 of them, and loading it
 * is a copy of three arrays. An id without one has no bytes.
 */
final class TokenBytes {
  private byte[] bytes;
  private int used;
  // Where the bytes of an id lie.
  private int[] starts;
  private int[] ends;

  TokenBytes() {
    this(new byte[1 << 14], new int[1024], new int[1024]);
    used = 0;
  }

  private TokenBytes(byte[] bytes, int[] starts, int[] ends) {
    this.bytes = bytes;
    this.starts = starts;
    this.ends = ends;
    used = bytes.length;
  }

  static TokenBytes restore(FlatReader in) {
    return new TokenBytes(in.bytes(), in.ints(), in.ints());
  }

  void save(FlatWriter out) {
    out.bytes(Arrays.copyOf(bytes, used));
    out.ints(starts);
    out.ints(ends);
  }

  /** A copy with room for ids below {@code size}, and no others in use. */
  TokenBytes copy(int size) {
    return new TokenBytes(
        Arrays.copyOf(bytes, used), Arrays.copyOf(starts, size), Arrays.copyOf(ends, size));
  }

  void set(int id, byte[] token, int from, int to) {
    if (id >= starts.length) {
      int length = Math.max(id + 1, starts.length * 2);
      starts = Arrays.copyOf(starts, length);
      ends = Arrays.copyOf(ends, length);
    }
    int length = to - from;
    if (used + length > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(used + length, bytes.length * 2));
    }
    System.arraycopy(token, from, bytes, used, length);
    starts[id] = used;
    used += length;
    ends[id] = used;
  }

  /** Whether the id stands for {@code other[from, to)}. */
  boolean equals(int id, byte[] other, int from, int to) {
    return Arrays.equals(bytes, starts[id], ends[id], other, from, to);
  }

  /** The bytes of an id below the size. */
  byte[] get(int id) {
    return Arrays.copyOfRange(bytes, starts[id], ends[id]);
  }

  int start(int id) {
    return starts[id];
  }

  int end(int id) {
    return ends[id];
  }

  /** The array in which {@link #start} and {@link #end} are places; not to be written to. */
  byte[] all() {
    return bytes;
  }
}
