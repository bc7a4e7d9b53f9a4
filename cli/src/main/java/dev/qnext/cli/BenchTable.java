package dev.qnext.cli;

import dev.qnext.bench.BenchReport;
import java.util.Locale;

/** Prints a bench for a reader: what was measured, the limit, and the share of it. */
final class BenchTable {
  private static final String ROW = "%-18s %16s %16s %8s";

  private final Output out;
  private final Colors colors;

  BenchTable(Output out, Colors colors) {
    this.out = out;
    this.colors = colors;
  }

  void print(BenchResults results) {
    BenchReport report = results.report();
    out.println(
        "%s, %s: %s, %s per token"
            .formatted(
                colors.bold(results.model()),
                results.recipe(),
                SystemChecks.bytes(report.modelBytes()),
                bytes(report.bytesPerToken())));
    out.println(results.place());
    out.println("limits: " + results.limits());
    out.println("");
    out.println(colors.bold(ROW.formatted("", "measured", "limit", "share")));
    out.println(seconds("load", report.loadSeconds()));
    out.println(seconds("first token", report.firstTokenSeconds()));
    results.decode().forEach(this::print);
    results.prefill().forEach(this::print);
    results.verify().forEach(this::print);
  }

  private void print(BenchResults.Line line) {
    boolean known = !Double.isNaN(line.limit());
    out.println(
        ROW.formatted(
            line.name(),
            number(line.measured()) + " " + line.unit(),
            known ? number(line.limit()) + " " + line.unit() : "unknown",
            known ? String.format(Locale.ROOT, "%.0f %%", 100 * line.share()) : ""));
  }

  private static String seconds(String name, double seconds) {
    return ROW.formatted(name, String.format(Locale.ROOT, "%.2f s", seconds), "", "")
        .stripTrailing();
  }

  /** Three digits. */
  static String number(double value) {
    return String.format(
        Locale.ROOT, value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%,.0f", value);
  }

  private static String bytes(double bytes) {
    return bytes < 1e9
        ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }
}
