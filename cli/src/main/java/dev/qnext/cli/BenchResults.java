package dev.qnext.cli;

import dev.qnext.backend.Peaks;
import dev.qnext.bench.BenchReport;
import dev.qnext.machine.Machine;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A bench's report with where and of what it was made: as lines of measured values beside their
 * limits, which table and plot show, and as JSON.
 *
 * @param recipe formats of the weights
 */
record BenchResults(
    Machine machine, String backend, String model, String recipe, BenchReport report) {

  /**
   * One measured value.
   *
   * @param limit the best this machine could do; NaN if that is not known
   * @param share of the limit that was reached; NaN if that is not known
   */
  record Line(String name, double measured, double limit, double share, String unit) {
    private static Line of(String name, double measured, double limit, String unit) {
      return new Line(name, measured, limit, measured / limit, unit);
    }
  }

  private double bandwidth() {
    Peaks limits = report.limits();
    return limits == null ? Double.NaN : limits.readBytesPerSecond();
  }

  /** Tokens per second, limited by reading memory. */
  List<Line> decode() {
    List<Line> lines = new ArrayList<>();
    for (BenchReport.Decode d : report.decode()) {
      double limit = bandwidth() / d.bytesPerToken();
      lines.add(Line.of("decode at %,d".formatted(d.depth()), d.tokensPerSecond(), limit, "tok/s"));
    }
    return lines;
  }

  /** Tokens per second, limited by 8-bit multiplications or by memory. */
  List<Line> prefill() {
    Peaks limits = report.limits();
    List<Line> lines = new ArrayList<>();
    for (BenchReport.Prefill p : report.prefill()) {
      double limit = limits == null ? Double.NaN : p.limit(limits);
      lines.add(
          Line.of("prefill of %,d".formatted(p.tokens()), p.tokensPerSecond(), limit, "tok/s"));
    }
    return lines;
  }

  /** Time over that of one token; the limit is that of the bytes, and less is better. */
  List<Line> verify() {
    List<Line> lines = new ArrayList<>();
    for (BenchReport.Verify v : report.verify()) {
      lines.add(
          new Line(
              "verify of " + v.tokens(),
              v.timeOverOne(),
              v.bytesOverOne(),
              v.bytesOverOne() / v.timeOverOne(),
              "x one"));
    }
    return lines;
  }

  /** "Intel(R) Xeon(R) Processor, 2 threads". */
  String place() {
    String chip = machine.chip().isEmpty() ? machine.system() : machine.chip();
    return "%s on %s, %d threads".formatted(backend, chip, threads());
  }

  /** Of the backend; those of the machine where the backend does not tell. */
  private int threads() {
    Peaks limits = report.limits();
    return limits == null ? machine.cores() : limits.threads();
  }

  /** "memory 33.5 GB/s, ..." or that nothing is known. */
  String limits() {
    Peaks limits = report.limits();
    return limits == null
        ? "unknown to this backend"
        : "memory %.1f GB/s; multiplications of int8 %.0f G/s, of f32 %.0f G/s"
            .formatted(
                limits.readBytesPerSecond() / 1e9,
                limits.int8PerSecond() / 1e9,
                limits.f32PerSecond() / 1e9);
  }

  /** All results, for machines; null is what is not known. */
  Map<String, @Nullable Object> json() {
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    Map<String, @Nullable Object> where = new LinkedHashMap<>();
    where.put("cpu", machine.chip());
    where.put("threads", threads());
    where.put("system", machine.system());
    where.put("features", machine.features());
    where.put("memory_bytes", machine.memory());
    where.put("backend", backend);
    object.put("machine", where);
    Peaks peaks = report.limits();
    Map<String, @Nullable Object> limits = new LinkedHashMap<>();
    limits.put("memory_read_bytes_per_s", peaks == null ? null : peaks.readBytesPerSecond());
    limits.put("int8_multiplications_per_s", peaks == null ? null : peaks.int8PerSecond());
    limits.put("f32_multiplications_per_s", peaks == null ? null : peaks.f32PerSecond());
    object.put("limits", limits);
    Map<String, @Nullable Object> what = new LinkedHashMap<>();
    what.put("name", model);
    what.put("recipe", recipe);
    what.put("bytes", report.modelBytes());
    what.put("bytes_per_token", report.bytesPerToken());
    object.put("model", what);
    object.put("load_s", report.loadSeconds());
    object.put("first_token_s", report.firstTokenSeconds());
    List<Object> decode = new ArrayList<>();
    for (BenchReport.Decode d : report.decode()) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("depth", d.depth());
      line.put("tokens", d.tokens());
      line.put("tokens_per_s", d.tokensPerSecond());
      line.put("bytes_per_token", d.bytesPerToken());
      line.put("share_of_bandwidth", peaks == null ? null : d.bytesPerSecond() / bandwidth());
      decode.add(line);
    }
    object.put("decode", decode);
    List<Object> prefill = new ArrayList<>();
    for (BenchReport.Prefill p : report.prefill()) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("tokens", p.tokens());
      line.put("tokens_per_s", p.tokensPerSecond());
      prefill.add(line);
    }
    object.put("prefill", prefill);
    List<Object> verify = new ArrayList<>();
    for (BenchReport.Verify v : report.verify()) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("tokens", v.tokens());
      line.put("time_over_one", v.timeOverOne());
      line.put("bytes_over_one", v.bytesOverOne());
      verify.add(line);
    }
    object.put("verify", verify);
    return object;
  }
}
