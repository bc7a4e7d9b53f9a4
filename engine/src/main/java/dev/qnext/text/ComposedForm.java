package dev.qnext.text;

import java.util.BitSet;

/**
 * Knows the scripts in which nothing composes and nothing is reordered, so that most texts need not
 * be brought to NFC: the JDK loads tables for that, which takes longer than to encode a prompt.
 */
final class ComposedForm {
  // First and last UTF-16 unit of ranges in which every character is a starter, its own NFC, and no
  // second part of a composition. Only blocks whose characters are all assigned, or that cannot
  // hold marks.
  private static final char[] RANGES = {
    0x0000, 0x02FF, // Latin
    0x0388, 0x0482, // Greek, Cyrillic
    0x048A, 0x0556, // Cyrillic, Armenian
    0x05D0, 0x05EA, // Hebrew letters
    0x0620, 0x064A, // Arabic letters
    0x0660, 0x066F,
    0x0671, 0x06D3,
    0x0904, 0x0939, // Devanagari letters
    0x10A0, 0x10FF, // Georgian
    0x1E00, 0x1EFF, // Latin
    0x2002, 0x2064, // punctuation, without those that are other characters
    0x20A0, 0x20C0, // currencies
    0x2100, 0x2125, // symbols
    0x2190, 0x2328, // arrows, mathematics
    0x232B, 0x2ADB, // boxes, dingbats, mathematics
    0x3000, 0x3029, // East Asian punctuation, kana, ideographs
    0x3030, 0x3098,
    0x309B, 0xA48C,
    0xAC00, 0xD7A3, // Hangul syllables
    0xD83C, 0xD83E, // high surrogates of emoji
    0xD840, 0xD87D, // and of ideographs
    0xDC00, 0xDFFF, // low ones
    0xE000, 0xF8FF, // private use
    0xFE30, 0xFF9D, // East Asian forms
    0xFFE0, 0xFFFD,
  };

  private static final BitSet CERTAIN = new BitSet(1 << 16);

  static {
    for (int i = 0; i < RANGES.length; i += 2) {
      CERTAIN.set(RANGES[i], RANGES[i + 1] + 1);
    }
  }

  private ComposedForm() {}

  /** Whether {@code text[from, to)} is in NFC; false where that would take a closer look. */
  static boolean isCertain(char[] text, int from, int to) {
    for (int i = from; i < to; i++) {
      if (text[i] >= 0x300 && !CERTAIN.get(text[i])) {
        return false;
      }
    }
    return true;
  }
}
