package dev.qnext.text;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A byte-pair encoding, shared by all calls and threads: vocabulary, merges, and a memory of the
 * pieces that were encoded last.
 */
final class BytePairModel {
  /** A piece of text in UTF-8 and its ids; immutable, so a racing reader sees all of it or none. */
  record Piece(byte[] bytes, int[] ids) {}

  private static final int CACHE_SIZE = 1 << 14;

  private final Vocabulary vocabulary;
  private final BytePairMerges merges;
  private final boolean ignoreMerges;
  private final int[] idOfByte = new int[256];
  private final @Nullable Piece[] cache = new Piece[CACHE_SIZE];

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

  BytePairMerges merges() {
    return merges;
  }

  /** The token of a single byte, or -1. */
  int id(byte b) {
    return idOfByte[b & 0xFF];
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

  /** The ids of a piece that was encoded not long ago, or null. */
  int @Nullable [] cached(byte[] bytes, int length, int hash) {
    Piece piece = cache[hash & CACHE_SIZE - 1];
    return piece != null && Arrays.equals(piece.bytes, 0, piece.bytes.length, bytes, 0, length)
        ? piece.ids
        : null;
  }

  void cache(byte[] bytes, int[] ids, int hash) {
    cache[hash & CACHE_SIZE - 1] = new Piece(bytes, ids);
  }
}
