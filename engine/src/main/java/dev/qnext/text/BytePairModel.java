package dev.qnext.text;

/** A byte-pair encoding, shared by all calls and threads: vocabulary and merges. */
final class BytePairModel {
  private final Vocabulary vocabulary;
  private final BytePairMerges merges;
  private final boolean ignoreMerges;
  private final int[] idOfByte = new int[256];
  // The rank of two bytes' merge + 1, or 0 as long as it was not looked up. A piece begins with
  // these, and the table of all merges is too large for the nearest caches. Threads may race: each
  // would write the same.
  private final int[] rankOfBytes = new int[256 * 256];

  /**
   * @param ignoreMerges a piece that is an entry of the vocabulary is that entry, whatever the
   *     merges would make of it
   */
  BytePairModel(Vocabulary vocabulary, BytePairMerges merges, boolean ignoreMerges) {
    this.vocabulary = vocabulary;
    this.merges = merges;
    this.ignoreMerges = ignoreMerges;
    for (int b = 0; b < 256; b++) {
      idOfByte[b] = vocabulary.id(new byte[] {(byte) b}, 0, 1);
    }
  }

  static BytePairModel restore(FlatReader in) {
    return new BytePairModel(Vocabulary.restore(in), BytePairMerges.restore(in), in.flag());
  }

  void save(FlatWriter out) {
    vocabulary.save(out);
    merges.save(out);
    out.flag(ignoreMerges);
  }

  Vocabulary vocabulary() {
    return vocabulary;
  }

  BytePairMerges merges() {
    return merges;
  }

  /** The token of a single byte, or -1. */
  int id(byte b) {
    return idOfByte[b & 0xFF];
  }

  /** The rank of the merge of two bytes that have tokens, or {@link BytePairMerges#NONE}. */
  int rank(byte left, byte right) {
    int pair = (left & 0xFF) << 8 | right & 0xFF;
    int known = rankOfBytes[pair];
    if (known != 0) {
      return known - 1;
    }
    int rank = merges.rank(id(left), id(right));
    rankOfBytes[pair] = rank + 1;
    return rank;
  }

  /** Whether every byte that occurs in UTF-8 has a token. */
  boolean knowsAllBytes() {
    for (int b = 0; b < 0xF5; b++) {
      if (idOfByte[b] < 0 && b != 0xC0 && b != 0xC1) {
        return false;
      }
    }
    return true;
  }

  /** The token that a piece is without merging, or -1. */
  int whole(byte[] bytes, int length) {
    return ignoreMerges ? vocabulary.id(bytes, 0, length) : -1;
  }
}
