package dev.qnext.cli;

import dev.qnext.backend.Check;
import dev.qnext.selftest.SelfTest;
import dev.qnext.selftest.SelfTest.Report;
import dev.qnext.selftest.SelfTest.Result;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Prints a self-test for a reader: matrix products as a table of formats and rows, the other
 * operations in a line each, then what failed.
 */
final class SelfTestPrinter {
  /** {@code 4 bit, groups of 64, 16 rows}: the format, and how many rows x has. */
  private static final Pattern PRODUCT =
      Pattern.compile("([^,]+)(?:, groups of \\d+)?, (\\d+ rows?)");

  private static final int LABEL = 16;
  private static final int COLUMN = 9;
  private static final int SHOWN = 8;

  private final Output out;
  private final Colors colors;
  private final CheckPrinter checks;

  SelfTestPrinter(Output out, Colors colors, CheckPrinter checks) {
    this.out = out;
    this.colors = colors;
    this.checks = checks;
  }

  /** The worst of some cases. */
  private static final class Worst {
    private int cases;
    private double error;
    private boolean failed;

    void add(Result result) {
      cases++;
      failed |= !result.passed();
      error = Math.max(error, result.error());
    }
  }

  void print(Report report) {
    Map<String, Map<String, Worst>> products = new LinkedHashMap<>();
    Map<String, Worst> others = new LinkedHashMap<>();
    Set<String> rows = new LinkedHashSet<>();
    for (Result result : report.results()) {
      Matcher product = PRODUCT.matcher(result.sizes());
      if (result.operation().equals("linear") && product.matches()) {
        rows.add(product.group(2));
        products
            .computeIfAbsent(product.group(1), format -> new LinkedHashMap<>())
            .computeIfAbsent(product.group(2), count -> new Worst())
            .add(result);
      } else {
        String name = result.operation().equals("linear") ? "linear, other" : result.operation();
        others.computeIfAbsent(name, operation -> new Worst()).add(result);
      }
    }
    List<Result> failures = report.failures();
    String text =
        String.format(
            Locale.ROOT,
            "%d cases in %.1f s, worst errors; activations are %s",
            report.results().size(),
            report.seconds(),
            report.activationType().name().toLowerCase(Locale.ROOT));
    checks.print(
        failures.isEmpty()
            ? Check.pass("self-test", text)
            : Check.fail("self-test", "%d of %s".formatted(failures.size(), text), null));
    printProducts(products, rows);
    others.forEach(this::printOther);
    printFailures(failures);
  }

  private void printProducts(Map<String, Map<String, Worst>> products, Set<String> rows) {
    StringBuilder heading = new StringBuilder("        " + padded("linear", LABEL));
    if (checks.wide()) {
      rows.forEach(count -> heading.append(padded(count, COLUMN)));
    }
    out.println(heading.toString().stripTrailing());
    products.forEach((format, worst) -> {
      StringBuilder line = new StringBuilder("          " + padded(format, LABEL - 2));
      if (checks.wide()) {
        worst.values().forEach(w -> line.append(error(w, COLUMN)));
      } else {
        Worst all = new Worst();
        for (Worst w : worst.values()) {
          all.failed |= w.failed;
          all.error = Math.max(all.error, w.error);
        }
        line.append(error(all, COLUMN));
      }
      out.println(line.toString().stripTrailing());
    });
  }

  private void printOther(String name, Worst worst) {
    String cases =
        checks.wide() ? "%d case%s".formatted(worst.cases, worst.cases == 1 ? "" : "s") : "";
    String line = "        " + padded(name, LABEL) + error(worst, COLUMN) + cases;
    out.println(line.stripTrailing());
  }

  private void printFailures(List<Result> failures) {
    List<Check> shown = new ArrayList<>();
    for (Result failure : failures.subList(0, Math.min(SHOWN, failures.size()))) {
      shown.add(Check.fail(failure.operation(), failure.toString(), null));
    }
    checks.print(shown);
    if (failures.size() > SHOWN) {
      out.println("        and %d more; --json lists all".formatted(failures.size() - SHOWN));
    }
  }

  private String error(Worst worst, int width) {
    String text =
        Double.isNaN(worst.error)
            ? "failed"
            : worst.error == 0 ? "0" : String.format(Locale.ROOT, "%.0e", worst.error);
    String padding = " ".repeat(Math.max(1, width - text.length()));
    return (worst.failed ? colors.red(text) : text) + padding;
  }

  private static String padded(String text, int width) {
    return text + " ".repeat(Math.max(1, width - text.length()));
  }

  /** All results, for machines. */
  static Map<String, Object> json(SelfTest.Report report) {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("passed", report.passed());
    object.put("activation_type", report.activationType().name().toLowerCase(Locale.ROOT));
    object.put("seconds", report.seconds());
    List<Map<String, Object>> results = new ArrayList<>();
    for (Result result : report.results()) {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("operation", result.operation());
      line.put("case", result.sizes());
      line.put("passed", result.passed());
      line.put("error", result.error());
      line.put("limit", result.limit());
      String failure = result.failure();
      if (failure != null) {
        line.put("failure", failure);
      }
      results.add(line);
    }
    object.put("results", results);
    return object;
  }
}
