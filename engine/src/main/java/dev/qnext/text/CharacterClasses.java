package dev.qnext.text;

/**
 * The character classes of the split patterns, for code points, by the JDK's Unicode data.
 *
 * <p>None of them is one of {@link Character}'s: {@code isWhitespace} leaves out U+00A0 and takes
 * in U+001C, and {@code isDigit} knows decimal digits only.
 */
final class CharacterClasses {
  private static final int LETTERS =
      1 << Character.UPPERCASE_LETTER
          | 1 << Character.LOWERCASE_LETTER
          | 1 << Character.TITLECASE_LETTER
          | 1 << Character.MODIFIER_LETTER
          | 1 << Character.OTHER_LETTER;
  private static final int NUMBERS =
      1 << Character.DECIMAL_DIGIT_NUMBER
          | 1 << Character.LETTER_NUMBER
          | 1 << Character.OTHER_NUMBER;
  private static final int MARKS =
      1 << Character.NON_SPACING_MARK
          | 1 << Character.ENCLOSING_MARK
          | 1 << Character.COMBINING_SPACING_MARK;
  private static final int SEPARATORS =
      1 << Character.SPACE_SEPARATOR
          | 1 << Character.LINE_SEPARATOR
          | 1 << Character.PARAGRAPH_SEPARATOR;
  private static final int OF_WORDS =
      MARKS | 1 << Character.DECIMAL_DIGIT_NUMBER | 1 << Character.CONNECTOR_PUNCTUATION;

  private CharacterClasses() {}

  /** {@code \p{L}}. */
  static boolean isLetter(int codePoint) {
    return in(LETTERS, codePoint);
  }

  /** {@code \p{N}}. */
  static boolean isNumber(int codePoint) {
    return in(NUMBERS, codePoint);
  }

  /** {@code \p{M}}. */
  static boolean isMark(int codePoint) {
    return in(MARKS, codePoint);
  }

  /** {@code \s}: Unicode's White_Space, 25 code points, all below U+10000. */
  static boolean isWhiteSpace(int codePoint) {
    return codePoint >= '\t' && codePoint <= '\r' || codePoint == 0x85 || in(SEPARATORS, codePoint);
  }

  /** {@code \w}: Alphabetic, marks, decimal digits, connector punctuation and the two joiners. */
  static boolean isWord(int codePoint) {
    return Character.isAlphabetic(codePoint)
        || in(OF_WORDS, codePoint)
        || codePoint == 0x200C
        || codePoint == 0x200D;
  }

  private static boolean in(int types, int codePoint) {
    return (types >> Character.getType(codePoint) & 1) != 0;
  }
}
