package dev.qnext.cli;

import dev.qnext.backend.Check;
import java.util.ArrayList;
import java.util.List;

/**
 * Prints checks for a reader: status, name, what was found, and beneath it what to do. Lines are as
 * wide as the terminal, but commands are never broken.
 */
final class CheckPrinter {
  /** Narrower than this, what was found gets lines of its own. */
  private static final int WIDE = 60;

  private static final int MARGIN = 2;
  private static final int STATUS = 6;
  private static final int NAME = 14;

  private final Output out;
  private final Colors colors;
  private final int columns;

  CheckPrinter(Output out, Colors colors, int columns) {
    this.out = out;
    this.colors = colors;
    this.columns = columns;
  }

  boolean wide() {
    return columns >= WIDE;
  }

  void heading(String text) {
    out.println(colors.bold(text));
  }

  void print(List<Check> checks) {
    checks.forEach(this::print);
    out.flush();
  }

  void print(Check check) {
    String status =
        switch (check.status()) {
          case INFO -> "      ";
          case PASS -> colors.green("ok") + "    ";
          case WARN -> colors.yellow("warn") + "  ";
          case FAIL -> colors.red("FAIL") + "  ";
        };
    int indent = MARGIN + STATUS + (wide() ? NAME : MARGIN);
    List<String> lines = wrap(check.detail(), columns - indent);
    if (wide()) {
      String name = check.name();
      out.print(" ".repeat(MARGIN) + status + name);
      if (name.length() < NAME) {
        out.println(" ".repeat(NAME - name.length()) + lines.removeFirst());
      } else {
        out.println("");
      }
    } else {
      out.println(" ".repeat(MARGIN) + status + check.name());
    }
    String blank = " ".repeat(indent);
    lines.forEach(line -> out.println(blank + line));
    String fix = check.fix();
    if (fix != null) {
      out.println(blank + "fix: " + fix);
    }
  }

  /** Breaks a text at blanks; a word that is longer than a line stays whole. */
  static List<String> wrap(String text, int width) {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String word : text.strip().split("\\s+", -1)) {
      if (!line.isEmpty() && line.length() + 1 + word.length() > width) {
        lines.add(line.toString());
        line.setLength(0);
      }
      line.append(line.isEmpty() ? "" : " ").append(word);
    }
    lines.add(line.toString());
    return lines;
  }
}
