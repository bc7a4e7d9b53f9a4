package dev.qnext.text;

/**
 * The split pattern of Qwen2 and Qwen3, and that of Qwen3.5 in which marks belong to words, by
 * hand: one pass, no backtracking, whatever the text.
 *
 * <pre>
 * (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}
 *   |  ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
 * </pre>
 *
 * <p>The first alternative that matches counts. Every character is of one kind, and the kind of the
 * first, and for white space and symbols that of the second, decides which alternative it is.
 */
final class PreTokenizerScanner implements PreTokenizer {
  static final String QWEN3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  static final String QWEN35 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final byte SYMBOL = 0;
  private static final byte LETTER = 1;
  private static final byte NUMBER = 2;
  private static final byte SPACE = 3;

  private final boolean marksAreLetters;
  private final byte[] kindOfAscii = new byte[128];

  PreTokenizerScanner(boolean marksAreLetters) {
    this.marksAreLetters = marksAreLetters;
    for (int c = 0; c < kindOfAscii.length; c++) {
      kindOfAscii[c] = kindOf(c);
    }
  }

  @Override
  public void split(String text, int from, int to, Pieces pieces) {
    int start = from;
    while (start < to) {
      int end = end(text, start, to);
      pieces.piece(text, start, end);
      start = end;
    }
  }

  private int end(String text, int start, int to) {
    char c = text.charAt(start);
    int next = next(text, start);
    switch (kind(text, start)) {
      case LETTER:
        return run(LETTER, text, next, to);
      case NUMBER:
        return next;
      case SPACE:
        if (next < to && c != '\r' && c != '\n') {
          byte kind = kind(text, next);
          if (kind == LETTER) {
            return run(LETTER, text, next, to);
          }
          if (kind == SYMBOL && c == ' ') {
            return symbols(text, next, to);
          }
        }
        return whiteSpace(text, start, to);
      default:
        if (c == '\'') {
          int end = contraction(text, next, to);
          if (end > next) {
            return end;
          }
        }
        return next < to && kind(text, next) == LETTER
            ? run(LETTER, text, next, to)
            : symbols(text, next, to);
    }
  }

  /** The end of s, t, re, ve, m, ll or d after an apostrophe, or {@code at}. */
  private static int contraction(String text, int at, int to) {
    char first = at < to ? lower(text.charAt(at)) : 0;
    char second = at + 1 < to ? lower(text.charAt(at + 1)) : 0;
    return switch (first) {
      case 's', 't', 'm', 'd' -> at + 1;
      case 'r', 'v' -> second == 'e' ? at + 2 : at;
      case 'l' -> second == 'l' ? at + 2 : at;
      default -> at;
    };
  }

  /** Case-folds the letters of the contractions; U+017F is an s. */
  private static char lower(char c) {
    return c == 'ſ' ? 's' : c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
  }

  /** The end of a run of symbols and the line ends behind it. */
  private int symbols(String text, int from, int to) {
    int end = run(SYMBOL, text, from, to);
    while (end < to && (text.charAt(end) == '\n' || text.charAt(end) == '\r')) {
      end++;
    }
    return end;
  }

  /**
   * White space up to the last line end in it; without one all of it, but for the last character
   * where something follows.
   */
  private int whiteSpace(String text, int start, int to) {
    int end = start;
    int afterLineEnd = start;
    while (end < to && kind(text, end) == SPACE) {
      char c = text.charAt(end++);
      if (c == '\n' || c == '\r') {
        afterLineEnd = end;
      }
    }
    if (afterLineEnd > start) {
      return afterLineEnd;
    }
    return end < to && end - start > 1 ? end - 1 : end;
  }

  private int run(byte kind, String text, int from, int to) {
    int end = from;
    while (end < to && kind(text, end) == kind) {
      end = next(text, end);
    }
    return end;
  }

  private static int next(String text, int at) {
    return Character.isHighSurrogate(text.charAt(at)) ? at + 2 : at + 1;
  }

  private byte kind(String text, int at) {
    char c = text.charAt(at);
    return c < 128 ? kindOfAscii[c] : kindOf(text.codePointAt(at));
  }

  private byte kindOf(int codePoint) {
    if (CharacterClasses.isLetter(codePoint)
        || marksAreLetters && CharacterClasses.isMark(codePoint)) {
      return LETTER;
    }
    if (CharacterClasses.isNumber(codePoint)) {
      return NUMBER;
    }
    return CharacterClasses.isWhiteSpace(codePoint) ? SPACE : SYMBOL;
  }
}
