package dev.qnext.text;

import java.util.Arrays;

/** The bytes of a long piece while they are merged: {@link PieceMerger}'s rule, with a heap. */
final class LongPiece {
  private static final int NONE = BytePairMerges.NONE;

  private final BytePairMerges merges;

  // A linked list of tokens: token, next, previous and rank by place of first byte.
  private final int[] tokens;
  private final int[] nexts;
  private final int[] previous;
  private final int[] ranks;
  private final int n;
  // A binary heap of rank << 32 | place. An entry counts while the place still has that rank.
  private long[] heap;
  private int heapSize;

  LongPiece(BytePairModel model, byte[] bytes, int length) {
    merges = model.merges();
    tokens = new int[length];
    nexts = new int[length];
    previous = new int[length];
    ranks = new int[length];
    heap = new long[length];
    int known = 0;
    for (int i = 0; i < length; i++) {
      int id = model.id(bytes[i]);
      if (id >= 0) {
        tokens[known] = id;
        nexts[known] = known + 1;
        previous[known] = known - 1;
        known++;
      }
    }
    n = known;
  }

  /** Writes the ids from a place on; returns their number. */
  int merge(int[] ids, int at) {
    for (int place = 0; place < n; place++) {
      rank(place);
    }
    while (heapSize > 0) {
      long best = pop();
      int place = (int) best;
      int rank = (int) (best >>> 32);
      if (ranks[place] == rank) {
        join(place, rank);
      }
    }
    int count = 0;
    for (int place = 0; place < n; place = nexts[place]) {
      ids[at + count++] = tokens[place];
    }
    return count;
  }

  private void join(int place, int rank) {
    int right = nexts[place];
    int next = nexts[right];
    tokens[place] = merges.result(rank);
    nexts[place] = next;
    ranks[right] = NONE;
    if (next < n) {
      previous[next] = place;
    }
    rank(place);
    if (place > 0) {
      rank(previous[place]);
    }
  }

  /** Notes the rank of the merge of the token at this place with the one after it. */
  private void rank(int place) {
    int next = nexts[place];
    int rank = next < n ? merges.rank(tokens[place], tokens[next]) : NONE;
    ranks[place] = rank;
    if (rank != NONE) {
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
