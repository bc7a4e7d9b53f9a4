package dev.qnext.text;

/** Text without lone surrogates: those are no characters and have no UTF-8. */
final class WellFormed {
  private WellFormed() {}

  /** Whether the text has no lone surrogate. */
  static boolean is(String text) {
    return text.equals(new String(of(text)));
  }

  /** The text's UTF-16 units, with U+FFFD for each lone surrogate. */
  static char[] of(String text) {
    char[] chars = text.toCharArray();
    for (int i = 0; i < chars.length; i++) {
      if (chars[i] >= Character.MIN_SURROGATE && chars[i] <= Character.MAX_SURROGATE) {
        if (i + 1 < chars.length && Character.isSurrogatePair(chars[i], chars[i + 1])) {
          i++;
        } else {
          chars[i] = '\uFFFD';
        }
      }
    }
    return chars;
  }
}
