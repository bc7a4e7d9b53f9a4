package dev.qnext.cli;

import org.jspecify.annotations.Nullable;

/**
 * Colours Markdown while it comes, and only that: no line is wrapped, indented or reordered.
 * Headings are bold, fenced blocks coloured between dim fences, and the marks of {@code **bold**}
 * and {@code `code`} are dropped. A mark is dropped only together with its partner on the same
 * line, for which the text between them is held back; a mark without one is text, and so is all
 * that is not named here. What comes out does not depend on how the text is cut into pieces.
 */
final class Markdown {
  /** Characters between two marks, after which the first is taken for text. */
  private static final int LONGEST_SPAN = 400;

  /** From here on lie scripts that put no blanks between words. */
  private static final char FIRST_UNSPACED = 0x2E80;

  private static final int SHORTEST_FENCE = 3;
  private static final int DEEPEST_HEADING = 6;

  /** More text must come before it is certain what this is. */
  private static final int WAIT = -1;

  /** A mark has no partner. */
  private static final int NONE = -2;

  private final Colors colors;
  private final StringBuilder pending = new StringBuilder();
  private final StringBuilder out = new StringBuilder();
  private boolean lineStart = true;
  private boolean bold;
  private boolean last;

  /** The fence that opened the block; null outside. */
  private @Nullable String fence;

  /** What stands before the pending text. */
  private char before = '\n';

  Markdown(Colors colors) {
    this.colors = colors;
  }

  /** What the next piece makes certain, coloured. */
  String accept(String piece) {
    pending.append(piece);
    return take();
  }

  /** The rest, coloured; the next piece begins another text. */
  String finish() {
    last = true;
    String rest = take();
    last = false;
    lineStart = true;
    bold = false;
    fence = null;
    before = '\n';
    return rest;
  }

  private String take() {
    int at = 0;
    while (at < pending.length()) {
      int next = lineStart ? lineStart(at) : fence != null ? rest(at) : inline(at);
      if (next == WAIT) {
        break;
      }
      if (next > at) {
        before = pending.charAt(next - 1);
        lineStart = before == '\n';
      }
      at = next;
    }
    pending.delete(0, at);
    String text = out.toString();
    out.setLength(0);
    return text;
  }

  /** Decides what a line is, which may take no character. */
  private int lineStart(int at) {
    int i = at;
    while (i < pending.length() && (pending.charAt(i) == ' ' || pending.charAt(i) == '\t')) {
      i++;
    }
    if (i == pending.length() && !last) {
      return WAIT;
    }
    char mark = i < pending.length() ? pending.charAt(i) : '\n';
    int end = run(i, mark);
    if (end == pending.length() && !last && (mark == '`' || mark == '~' || mark == '#')) {
      return WAIT;
    }
    bold = false;
    if ((mark == '`' || mark == '~') && end - i >= SHORTEST_FENCE) {
      int fenced = fence(at, i, end);
      if (fenced != NONE) {
        return fenced;
      }
    } else if (mark == '#' && fence == null) {
      bold = end - i <= DEEPEST_HEADING && end < pending.length() && pending.charAt(end) == ' ';
    }
    lineStart = false;
    return at;
  }

  /** A line that opens or closes a block; NONE if it does neither. */
  private int fence(int at, int from, int to) {
    int lineEnd = pending.indexOf("\n", to);
    int end = lineEnd < 0 ? pending.length() : lineEnd;
    if (end - to >= LONGEST_SPAN) {
      return NONE;
    }
    if (lineEnd < 0 && !last) {
      return WAIT;
    }
    String run = pending.substring(from, to);
    String rest = pending.substring(to, end);
    if (fence == null ? rest.indexOf('`') >= 0 : !rest.isBlank() || !run.startsWith(fence)) {
      return NONE;
    }
    fence = fence == null ? run : null;
    int next = lineEnd < 0 ? end : end + 1;
    out.append(colors.dim(pending.substring(at, next)));
    return next;
  }

  /** The rest of a line of a block, as far as it has come. */
  private int rest(int at) {
    int end = pending.indexOf("\n", at);
    int next = end < 0 ? whole(at, pending.length()) : end + 1;
    if (next > at) {
      out.append(colors.cyan(pending.substring(at, next)));
    }
    return next > at ? next : WAIT;
  }

  private int inline(int at) {
    char c = pending.charAt(at);
    switch (c) {
      case '\n' -> {
        out.append(c);
        return at + 1;
      }
      case '\\' -> {
        if (at + 1 == pending.length() && !last) {
          return WAIT;
        }
        int next = at + 1;
        boolean escapes = next < pending.length() && "\\`*".indexOf(pending.charAt(next)) >= 0;
        return plain(at, escapes ? next + 1 : next);
      }
      case '`', '*' -> {
        return span(at, c);
      }
      default -> {
        int end = at;
        while (end < pending.length() && "\n\\`*".indexOf(pending.charAt(end)) < 0) {
          end++;
        }
        int next = end < pending.length() ? end : whole(at, end);
        return next > at ? plain(at, next) : WAIT;
      }
    }
  }

  /** The end of the text up to which no character is cut in two. */
  private int whole(int at, int end) {
    return !last && end > at && Character.isHighSurrogate(pending.charAt(end - 1)) ? end - 1 : end;
  }

  private int plain(int from, int to) {
    String text = pending.substring(from, to);
    out.append(bold ? colors.bold(text) : text);
    return to;
  }

  /** Text between two runs of marks, or the first run alone. */
  private int span(int at, char mark) {
    int from = run(at, mark);
    if (from == pending.length() && !last) {
      return WAIT;
    }
    boolean code = mark == '`';
    int to = code || opensBold(at, from) ? partner(from, mark, from - at) : NONE;
    if (to == WAIT) {
      return WAIT;
    }
    if (to == NONE) {
      return plain(at, from);
    }
    String inside = pending.substring(from, to);
    if (code) {
      out.append(bold ? colors.boldCyan(inside) : colors.cyan(inside));
    } else {
      out.append(inBold(inside));
    }
    return to + from - at;
  }

  private String inBold(String inside) {
    Markdown markdown = new Markdown(colors);
    markdown.lineStart = false;
    markdown.bold = true;
    return markdown.accept(inside) + markdown.finish();
  }

  /** Two stars that no word precedes (a power is no mark) and no blank follows. */
  private boolean opensBold(int at, int from) {
    char previous = at > 0 ? pending.charAt(at - 1) : before;
    boolean word = Character.isLetterOrDigit(previous) && previous < FIRST_UNSPACED;
    return from - at == 2
        && !word
        && from < pending.length()
        && !Character.isWhitespace(pending.charAt(from));
  }

  /** Where on this line a run of exactly so many marks begins. */
  private int partner(int from, char mark, int count) {
    int limit = Math.min(pending.length(), from + LONGEST_SPAN);
    int i = from;
    while (i < limit && pending.charAt(i) != '\n') {
      if (pending.charAt(i) != mark) {
        i++;
        continue;
      }
      int end = run(i, mark);
      if (end == pending.length() && !last) {
        return WAIT;
      }
      boolean closes = mark == '`' || !Character.isWhitespace(pending.charAt(i - 1));
      if (end - i == count && i > from && closes) {
        return i;
      }
      i = end;
    }
    return i < limit || last || i - from >= LONGEST_SPAN ? NONE : WAIT;
  }

  /** The end of the run of a character that begins here. */
  private int run(int at, char c) {
    int end = at;
    while (end < pending.length() && pending.charAt(end) == c) {
      end++;
    }
    return end;
  }
}
