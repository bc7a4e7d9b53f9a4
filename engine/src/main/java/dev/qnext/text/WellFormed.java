package dev.qnext.text;

/** Text without lone surrogates: those are no characters and have no UTF-8. */
final class WellFormed {
  private WellFormed() {}

  /** The text with U+FFFD for each lone surrogate; the same string where there is none. */
  static String of(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        if (pairAt(text, i)) {
          i++;
        } else {
          return repaired(text, i);
        }
      }
    }
    return text;
  }

  private static String repaired(String text, int from) {
    char[] chars = text.toCharArray();
    for (int i = from; i < chars.length; i++) {
      if (pairAt(text, i)) {
        i++;
      } else if (Character.isSurrogate(chars[i])) {
        chars[i] = '\uFFFD';
      }
    }
    return new String(chars);
  }

  private static boolean pairAt(String text, int i) {
    return i + 1 < text.length() && Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1));
  }
}
