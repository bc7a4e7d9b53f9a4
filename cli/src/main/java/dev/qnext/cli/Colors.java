package dev.qnext.cli;

/**
 * The few ways in which text stands out. Line ends are never coloured, and every piece ends
 * uncoloured, so that nothing is left on when the process ends between two of them.
 */
final class Colors {
  /** When text is coloured. */
  enum Choice {
    /** On a terminal that can, unless NO_COLOR is set (no-color.org). */
    AUTO,
    ALWAYS,
    NEVER
  }

  private final boolean on;

  private Colors(boolean on) {
    this.on = on;
  }

  /** For standard output. */
  static Colors standard() {
    return of(Choice.AUTO);
  }

  static Colors of(Choice choice) {
    return new Colors(
        switch (choice) {
          case AUTO -> automatic();
          case ALWAYS -> true;
          case NEVER -> false;
        });
  }

  private static boolean automatic() {
    String no = System.getenv("NO_COLOR");
    return Terminal.output() && !Terminal.dumb() && (no == null || no.isEmpty());
  }

  boolean on() {
    return on;
  }

  String bold(String text) {
    return in(text, "1");
  }

  String dim(String text) {
    return in(text, "2");
  }

  String red(String text) {
    return in(text, "31");
  }

  String green(String text) {
    return in(text, "32");
  }

  String yellow(String text) {
    return in(text, "33");
  }

  String cyan(String text) {
    return in(text, "36");
  }

  String boldCyan(String text) {
    return in(text, "1;36");
  }

  private String in(String text, String code) {
    if (!on) {
      return text;
    }
    StringBuilder lines = new StringBuilder();
    for (int from = 0; from < text.length(); ) {
      int end = text.indexOf('\n', from);
      int to = end < 0 ? text.length() : end;
      if (to > from) {
        lines.append("\u001b[").append(code).append('m');
        lines.append(text, from, to).append("\u001b[0m");
      }
      if (end >= 0) {
        lines.append('\n');
      }
      from = to + 1;
    }
    return lines.toString();
  }
}
