package dev.qnext.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Takes pieces of text and ids of added tokens in their order, gives the ids of all. For one call
 * at a time; the next one gains from the pieces that are remembered.
 */
final class BytePairEncoder implements PreTokenizer.Pieces {
  /** Longer pieces, in UTF-16 units, seldom come again and are not remembered. */
  private static final int LONGEST_REMEMBERED = 48;

  private final BytePairModel model;
  private final PieceMerger merger;
  private final PieceMemory memory = new PieceMemory();
  private final byte[] utf8 = new byte[3 * LONGEST_REMEMBERED];
  private int[] out = {};
  private int count;

  BytePairEncoder(BytePairModel model) {
    this.model = model;
    merger = new PieceMerger(model);
  }

  /** Begins a text, of about this many ids. */
  void begin(int expected) {
    out = new int[expected];
    count = 0;
  }

  /** The ids since the text began. */
  int[] ids() {
    int[] ids = Arrays.copyOf(out, count);
    out = new int[0];
    return ids;
  }

  void id(int id) {
    makeRoom(1);
    out[count++] = id;
  }

  private void makeRoom(int more) {
    if (more > out.length - count) {
      out = Arrays.copyOf(out, count + (count >> 1) + more + 16);
    }
  }

  /** Encodes {@code text[from, to)}, which holds no lone surrogate. */
  @Override
  public void piece(char[] text, int from, int to) {
    if (to - from > LONGEST_REMEMBERED) {
      byte[] bytes = new String(text, from, to - from).getBytes(StandardCharsets.UTF_8);
      merge(bytes, bytes.length);
      return;
    }
    int hash = PieceMemory.hash(text, from, to);
    int record = memory.find(hash, text, from, to);
    if (record != 0) {
      int more = memory.count(record);
      makeRoom(more);
      memory.copy(record, out, count);
      count += more;
      return;
    }
    int start = count;
    merge(utf8, utf8(text, from, to));
    memory.add(hash, text, from, to, out, start, count);
  }

  private void merge(byte[] bytes, int length) {
    int whole = model.whole(bytes, length);
    if (whole >= 0) {
      id(whole);
      return;
    }
    makeRoom(length);
    count += merger.merge(bytes, length, out, count);
  }

  /** Writes {@code text[from, to)} to {@link #utf8}; returns the number of bytes. */
  private int utf8(char[] text, int from, int to) {
    int n = 0;
    for (int i = from; i < to; i++) {
      char c = text[i];
      if (c < 0x80) {
        utf8[n++] = (byte) c;
      } else if (c < 0x800) {
        utf8[n++] = (byte) (0xC0 | c >> 6);
        utf8[n++] = (byte) (0x80 | c & 0x3F);
      } else if (Character.isHighSurrogate(c)) {
        int codePoint = Character.toCodePoint(c, text[++i]);
        utf8[n++] = (byte) (0xF0 | codePoint >> 18);
        utf8[n++] = (byte) (0x80 | codePoint >> 12 & 0x3F);
        utf8[n++] = (byte) (0x80 | codePoint >> 6 & 0x3F);
        utf8[n++] = (byte) (0x80 | codePoint & 0x3F);
      } else {
        utf8[n++] = (byte) (0xE0 | c >> 12);
        utf8[n++] = (byte) (0x80 | c >> 6 & 0x3F);
        utf8[n++] = (byte) (0x80 | c & 0x3F);
      }
    }
    return n;
  }
}
