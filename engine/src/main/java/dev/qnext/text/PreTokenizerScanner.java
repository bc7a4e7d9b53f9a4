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

  private static final byte LETTER = 1;
  private static final byte NUMBER = 2;
  private static final byte SPACE = 3;
  private static final byte SYMBOL = 4;

  private final boolean marksAreLetters;
  // By UTF-16 unit; 0 for those that no text held yet, and for surrogates. Threads may race: each
  // would write the same.
  private final byte[] kinds = new byte[1 << 16];

  PreTokenizerScanner(boolean marksAreLetters) {
    this.marksAreLetters = marksAreLetters;
  }

  @Override
  public void split(char[] text, int from, int to, Pieces pieces) {
    int start = from;
    while (start < to) {
      int end = end(text, start, to);
      pieces.piece(text, start, end);
      start = end;
    }
  }

  private int end(char[] text, int start, int to) {
    char c = text[start];
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
  private static int contraction(char[] text, int at, int to) {
    char first = at < to ? lower(text[at]) : 0;
    char second = at + 1 < to ? lower(text[at + 1]) : 0;
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
  private int symbols(char[] text, int from, int to) {
    int end = run(SYMBOL, text, from, to);
    while (end < to && (text[end] == '\n' || text[end] == '\r')) {
      end++;
    }
    return end;
  }

  /**
   * White space up to the last line end in it; without one all of it, but for the last character
   * where something follows.
   */
  private int whiteSpace(char[] text, int start, int to) {
    int end = start;
    int afterLineEnd = start;
    while (end < to && kind(text, end) == SPACE) {
      char c = text[end++];
      if (c == '\n' || c == '\r') {
        afterLineEnd = end;
      }
    }
    if (afterLineEnd > start) {
      return afterLineEnd;
    }
    return end < to && end - start > 1 ? end - 1 : end;
  }

  private int run(byte kind, char[] text, int from, int to) {
    int end = from;
    while (end < to) {
      if (kinds[text[end]] == kind) {
        end++;
      } else if (kinds[text[end]] == 0 && kind(text, end) == kind) {
        end = next(text, end);
      } else {
        break;
      }
    }
    return end;
  }

  private static int next(char[] text, int at) {
    return Character.isHighSurrogate(text[at]) ? at + 2 : at + 1;
  }

  private byte kind(char[] text, int at) {
    char c = text[at];
    if (kinds[c] != 0) {
      return kinds[c];
    }
    if (Character.isHighSurrogate(c)) {
      return kindOf(Character.codePointAt(text, at));
    }
    byte kind = kindOf(c);
    kinds[c] = kind;
    return kind;
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
