package dev.qnext.text;

/**
 * Ids to text, one id at a time, never half a character.
 *
 * <p>The bytes of all tokens together are UTF-8. A sequence that is begun is held back until it is
 * whole or cannot become so; each maximal part that is not UTF-8 becomes one U+FFFD (The Unicode
 * Standard, section 3.9, "U+FFFD Substitution of Maximal Subparts"; the states are those of the
 * WHATWG Encoding Standard). What {@link #accept} and {@link #finish} return is together what
 * {@link Tokenizer#decode} returns for all ids. Not for use by several threads at once.
 */
public final class TokenDecoder {
  private final Tokenizer tokenizer;
  private final boolean skipSpecial;
  private final StringBuilder out = new StringBuilder();

  // An unfinished sequence: bits so far, bytes to come, and what the next byte may be.
  private int codePoint;
  private int missing;
  private int lower = 0x80;
  private int upper = 0xBF;

  TokenDecoder(Tokenizer tokenizer, boolean skipSpecial) {
    this.tokenizer = tokenizer;
    this.skipSpecial = skipSpecial;
  }

  /** Takes the next id; returns the text that is whole with it, often empty. */
  public String accept(int id) {
    append(id);
    return taken();
  }

  /** Ends the stream: an unfinished sequence becomes U+FFFD. The decoder can then be used again. */
  public String finish() {
    if (missing > 0) {
      malformed();
    }
    return taken();
  }

  /** Takes an id and keeps its text for {@link #finish}. */
  void append(int id) {
    if (!tokenizer.isKnown(id) || skipSpecial && tokenizer.isSpecial(id)) {
      return;
    }
    TokenBytes tokens = tokenizer.decoded();
    byte[] bytes = tokens.all();
    int end = tokens.end(id);
    for (int i = tokens.start(id); i < end; i++) {
      append(bytes[i]);
    }
  }

  private String taken() {
    String text = out.toString();
    out.setLength(0);
    return text;
  }

  private void append(byte value) {
    int b = value & 0xFF;
    if (missing > 0) {
      if (b >= lower && b <= upper) {
        codePoint = codePoint << 6 | b & 0x3F;
        lower = 0x80;
        upper = 0xBF;
        if (--missing == 0) {
          complete();
        }
        return;
      }
      malformed();
    }
    if (b < 0x80) {
      out.append((char) b);
    } else if (b >= 0xC2 && b <= 0xDF) {
      begin(b & 0x1F, 1, 0x80, 0xBF);
    } else if (b >= 0xE0 && b <= 0xEF) {
      begin(b & 0x0F, 2, b == 0xE0 ? 0xA0 : 0x80, 0xBF);
    } else if (b >= 0xF0 && b <= 0xF4) {
      begin(b & 0x07, 3, b == 0xF0 ? 0x90 : 0x80, b == 0xF4 ? 0x8F : 0xBF);
    } else {
      malformed();
    }
  }

  private void begin(int bits, int bytesToCome, int lowest, int highest) {
    codePoint = bits;
    missing = bytesToCome;
    lower = lowest;
    upper = highest;
  }

  private void complete() {
    if (isSurrogate(codePoint)) {
      out.append("\uFFFD\uFFFD\uFFFD");
    } else {
      out.appendCodePoint(codePoint);
    }
  }

  private void malformed() {
    boolean surrogate = missing == 1 && isSurrogate(codePoint << 6);
    missing = 0;
    out.append(surrogate ? "\uFFFD\uFFFD" : "\uFFFD");
  }

  /**
   * A surrogate (ED, A0 to BF, ..) is no character: each of its bytes is a part of its own. It is
   * held back like one all the same, as Python's incremental decoder does.
   */
  private static boolean isSurrogate(int codePoint) {
    return codePoint >= 0xD800 && codePoint <= 0xDFFF;
  }
}
