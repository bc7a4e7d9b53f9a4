package dev.qnext.cli;

/**
 * Many lines between two {@code """}: as a message, or behind a command. It ends with a line that
 * ends with them.
 */
final class Block {
  private static final String QUOTES = "\"\"\"";

  private Block() {}

  /** Whether more lines must come. */
  static boolean isOpen(String typed) {
    int at = start(typed);
    return at >= 0 && end(typed, at) < 0;
  }

  /** What was typed, without the quotes and the line ends next to them. */
  static String text(String typed) {
    int at = start(typed);
    if (at < 0) {
      return typed;
    }
    int from = at + QUOTES.length();
    int end = end(typed, at);
    int to = end < 0 ? typed.length() : end;
    if (from < to && typed.charAt(from) == '\n') {
      from++;
    }
    if (from < to && typed.charAt(to - 1) == '\n') {
      to--;
    }
    return typed.substring(0, at).stripLeading() + typed.substring(from, to);
  }

  /** Whether it begins with quotes, so that it is a message whatever it says. */
  static boolean isMessage(String typed) {
    return typed.stripLeading().startsWith(QUOTES);
  }

  /** Where the quotes begin; below 0 if there is no block. */
  private static int start(String typed) {
    int first = typed.length() - typed.stripLeading().length();
    if (typed.startsWith(QUOTES, first)) {
      return first;
    }
    int line = typed.indexOf('\n');
    int at = typed.startsWith("/", first) ? typed.indexOf(" " + QUOTES) : -1;
    return at >= 0 && (line < 0 || at < line) ? at + 1 : -1;
  }

  private static int end(String typed, int start) {
    int end = typed.stripTrailing().length() - QUOTES.length();
    return end >= start + QUOTES.length() && typed.startsWith(QUOTES, end) ? end : -1;
  }
}
