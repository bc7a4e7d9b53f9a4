package dev.qnext.cli;

import java.util.List;
import java.util.Locale;

/**
 * A bench as one SVG picture: a bar for each measured value, on a pale bar that ends at its limit.
 * Values of one kind share a scale, which ends at the largest of them or of their limits.
 */
final class BenchPlot {
  private static final int WIDTH = 780;
  private static final int MARGIN = 24;
  private static final int LABEL = 126;
  private static final int BAR = 400;
  private static final int ROW = 26;
  private static final int THICK = 16;
  private static final String BLUE = "#2f6db5";
  private static final String PALE = "#d5e0ec";
  private static final String DARK = "#22303c";
  private static final String GREY = "#65717c";
  private static final String BOLD = "font-weight=\"bold\"";
  private static final String RIGHT = "text-anchor=\"end\"";

  private final StringBuilder svg = new StringBuilder();
  private int y = MARGIN;

  private BenchPlot() {}

  static String of(BenchResults results) {
    BenchPlot plot = new BenchPlot();
    plot.heading(results);
    plot.panel("Decode, tokens per second", "limit: memory", results.decode());
    plot.panel("Prefill, tokens per second", "limit: int8 or memory", results.prefill());
    plot.panel(
        "Verify pass, time over one token's", "limit: bytes; less is better", results.verify());
    return plot.document();
  }

  private void heading(BenchResults results) {
    text(MARGIN, y + 14, 17, DARK, BOLD, results.model() + ", " + results.recipe());
    text(MARGIN, y + 34, 12, GREY, "", results.place());
    text(MARGIN, y + 51, 12, GREY, "", "limits: " + results.limits());
    y += 66;
  }

  private void panel(String title, String limit, List<BenchResults.Line> lines) {
    if (lines.isEmpty()) {
      return;
    }
    double most = 0;
    boolean known = false;
    for (BenchResults.Line line : lines) {
      most = Math.max(most, line.measured());
      if (!Double.isNaN(line.limit())) {
        most = Math.max(most, line.limit());
        known = true;
      }
    }
    y += 14;
    text(MARGIN, y + 12, 13, DARK, BOLD, title);
    if (known) {
      text(MARGIN + LABEL + BAR, y + 12, 12, GREY, RIGHT, limit);
    }
    y += 22;
    for (BenchResults.Line line : lines) {
      row(line, BAR / most);
    }
  }

  private void row(BenchResults.Line line, double scale) {
    int x = MARGIN + LABEL;
    boolean known = !Double.isNaN(line.limit());
    text(MARGIN, y + THICK - 3, 12, DARK, "", line.name());
    if (known) {
      bar(x, line.limit() * scale, THICK, PALE);
    }
    bar(x, line.measured() * scale, THICK - 6, BLUE);
    if (known) {
      rectangle(x + line.limit() * scale - 1, y, 2, THICK, DARK);
    }
    String value = BenchTable.number(line.measured());
    if (known) {
      value +=
          " of %s, %s"
              .formatted(
                  BenchTable.number(line.limit()),
                  String.format(Locale.ROOT, "%.0f %%", 100 * line.share()));
    }
    text(x + BAR + 14, y + THICK - 3, 12, DARK, "", value);
    y += ROW;
  }

  private void bar(int x, double width, int height, String color) {
    rectangle(x, y + (THICK - height) / 2.0, width, height, color);
  }

  private void rectangle(double x, double top, double width, double height, String color) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
            x,
            top,
            width,
            height,
            color));
  }

  /**
   * @param more attributes of its own
   */
  private void text(int x, int bottom, int size, String color, String more, String text) {
    svg.append(
        "<text x=\"%d\" y=\"%d\" font-size=\"%d\" fill=\"%s\" %s>%s</text>\n"
            .formatted(x, bottom, size, color, more, escaped(text)));
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }

  private String document() {
    int height = y + MARGIN - (ROW - THICK);
    return """
    <svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" \
    font-family="Helvetica, Arial, sans-serif">
    <rect width="100%%" height="100%%" fill="white"/>
    %s</svg>
    """
        .formatted(WIDTH, height, WIDTH, height, svg);
  }
}
