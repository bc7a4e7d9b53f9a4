package dev.qnext.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One call's encoder: takes pieces of text and ids of added tokens in their order, gives the ids of
 * all.
 *
 * <p>A piece begins as its bytes in UTF-8, one token each. Then the two adjacent tokens whose merge
 * has the lowest rank become one, leftmost first on a tie, until no two merge. Candidates wait in a
 * heap, so that a piece of n bytes costs O(n log n). A byte without an entry is left out, as the
 * reference does. Source: {@code Word::merge_all} of the tokenizers library.
 */
final class BytePairEncoder {
  /** Longer pieces, in UTF-16 units, seldom come again: they pass the cache by. */
  private static final int LONGEST_CACHED = 48;

  private final BytePairModel model;
  private final BytePairMerges merges;
  private final byte[] utf8 = new byte[3 * LONGEST_CACHED];
  private int[] out = new int[256];
  private int count;

  // The piece as a linked list of tokens: token, next, previous and rank by place of first byte.
  private int[] tokens = new int[256];
  private int[] nexts = new int[256];
  private int[] previous = new int[256];
  private int[] ranks = new int[256];
  // A binary heap of rank << 32 | place. An entry counts while the place still has that rank.
  private long[] heap = new long[256];
  private int heapSize;

  BytePairEncoder(BytePairModel model) {
    this.model = model;
    this.merges = model.merges();
  }

  int[] ids() {
    return Arrays.copyOf(out, count);
  }

  void id(int id) {
    if (count == out.length) {
      out = Arrays.copyOf(out, count + (count >> 1) + 16);
    }
    out[count++] = id;
  }

  /** Encodes {@code text[from, to)}, which holds no lone surrogate. */
  void piece(String text, int from, int to) {
    if (to - from > LONGEST_CACHED) {
      byte[] bytes = text.substring(from, to).getBytes(StandardCharsets.UTF_8);
      encode(bytes, bytes.length);
      return;
    }
    int length = utf8(text, from, to);
    int hash = Vocabulary.hash(utf8, 0, length);
    int[] known = model.cached(utf8, length, hash);
    if (known != null) {
      for (int id : known) {
        id(id);
      }
      return;
    }
    int start = count;
    encode(utf8, length);
    model.cache(Arrays.copyOf(utf8, length), Arrays.copyOfRange(out, start, count), hash);
  }

  /** Writes {@code text[from, to)} to {@link #utf8}; returns the number of bytes. */
  private int utf8(String text, int from, int to) {
    int n = 0;
    for (int i = from; i < to; i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        utf8[n++] = (byte) c;
      } else if (c < 0x800) {
        utf8[n++] = (byte) (0xC0 | c >> 6);
        utf8[n++] = (byte) (0x80 | c & 0x3F);
      } else if (Character.isHighSurrogate(c)) {
        int codePoint = Character.toCodePoint(c, text.charAt(++i));
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

  private void encode(byte[] bytes, int length) {
    int whole = model.whole(bytes, length);
    if (whole >= 0) {
      id(whole);
      return;
    }
    int n = load(bytes, length);
    while (heapSize > 0) {
      long best = pop();
      int place = (int) best;
      int rank = (int) (best >>> 32);
      if (ranks[place] == rank) {
        merge(place, rank, n);
      }
    }
    for (int place = 0; place < n; place = nexts[place]) {
      id(tokens[place]);
    }
  }

  /** Sets up the list and the heap; returns the number of tokens. */
  private int load(byte[] bytes, int length) {
    if (length > tokens.length) {
      tokens = new int[length];
      nexts = new int[length];
      previous = new int[length];
      ranks = new int[length];
      heap = new long[length];
    }
    int n = 0;
    for (int i = 0; i < length; i++) {
      int id = model.id(bytes[i]);
      if (id >= 0) {
        tokens[n] = id;
        nexts[n] = n + 1;
        previous[n] = n - 1;
        n++;
      }
    }
    heapSize = 0;
    for (int place = 0; place < n; place++) {
      rank(place, n);
    }
    return n;
  }

  private void merge(int place, int rank, int n) {
    int right = nexts[place];
    int next = nexts[right];
    tokens[place] = merges.result(rank);
    nexts[place] = next;
    ranks[right] = BytePairMerges.NONE;
    if (next < n) {
      previous[next] = place;
    }
    rank(place, n);
    if (place > 0) {
      rank(previous[place], n);
    }
  }

  /** Notes the rank of the merge of the token at this place with the one after it. */
  private void rank(int place, int n) {
    int next = nexts[place];
    int rank = next < n ? merges.rank(tokens[place], tokens[next]) : BytePairMerges.NONE;
    ranks[place] = rank;
    if (rank != BytePairMerges.NONE) {
      push((long) rank << 32 | place);
    }
  }

  private void push(long entry) {
    if (heapSize == heap.length) {
      heap = Arrays.copyOf(heap, heapSize + (heapSize >> 1));
    }
    int i = heapSize++;
    while (i > 0) {
      int parent = (i - 1) >> 1;
      if (heap[parent] <= entry) {
        break;
      }
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  private long pop() {
    long top = heap[0];
    long last = heap[--heapSize];
    int i = 0;
    for (int child = 1; child < heapSize; child = 2 * i + 1) {
      if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
        child++;
      }
      if (heap[child] >= last) {
        break;
      }
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return top;
  }
}
