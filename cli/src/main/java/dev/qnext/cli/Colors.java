package dev.qnext.cli;

/** The few ways in which text stands out on standard output; plain where that is no terminal. */
final class Colors {
  private final boolean on;

  private Colors(boolean on) {
    this.on = on;
  }

  /** As the terminal can, unless NO_COLOR is set (no-color.org). */
  static Colors standard() {
    String no = System.getenv("NO_COLOR");
    return new Colors(
        Terminal.output() && (no == null || no.isEmpty()) && !"dumb".equals(System.getenv("TERM")));
  }

  String bold(String text) {
    return in(text, "1");
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

  private String in(String text, String code) {
    return on ? "\u001b[%sm%s\u001b[0m".formatted(code, text) : text;
  }
}
