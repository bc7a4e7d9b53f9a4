package dev.qnext.cli;

import java.io.Console;

/**
 * Which of the standard streams is a terminal. The launcher asks the shell and passes the answer,
 * which costs nothing.
 */
final class Terminal {
  private static final String STREAMS = System.getProperty("qnext.terminals", unknown());

  private Terminal() {}

  static boolean input() {
    return STREAMS.contains("0");
  }

  static boolean output() {
    return STREAMS.contains("1");
  }

  static boolean error() {
    return STREAMS.contains("2");
  }

  /** It can neither colour nor move its cursor, or does not say what it is. */
  static boolean dumb() {
    String type = System.getenv("TERM");
    return type == null || type.isEmpty() || type.equals("dumb");
  }

  /** Columns of a line of standard output; 80 where nobody knows. */
  static int columns() {
    int columns = output() ? TerminalSize.columns() : 0;
    return columns > 0 ? columns : 80;
  }

  /** Started without the launcher: the JDK tells only whether both ends are terminals. */
  private static String unknown() {
    Console console = System.console();
    return console != null && console.isTerminal() ? "012" : "";
  }
}
