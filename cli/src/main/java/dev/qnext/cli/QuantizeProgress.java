package dev.qnext.cli;

import java.util.Locale;

/** A line on standard error that says how far a conversion is; silent where that is no terminal. */
final class QuantizeProgress {
  private static final long NANOS_BETWEEN = 200_000_000;

  private final long all;
  private final long start = System.nanoTime();
  private long done;
  private long shown;
  private boolean open;

  QuantizeProgress(long all) {
    this.all = Math.max(1, all);
  }

  void done(long bytes, String path) {
    done += bytes;
    long now = System.nanoTime();
    if (!Terminal.error() || now - shown < NANOS_BETWEEN) {
      return;
    }
    shown = now;
    open = true;
    double seconds = (now - start) / 1e9;
    double speed = done / seconds;
    System.err.printf(
        Locale.ROOT,
        "\r%3d %%  %.2f of %.2f GB  %.0f MB/s  %.0f s left\u001b[K",
        100 * done / all,
        done / 1e9,
        all / 1e9,
        speed / 1e6,
        (all - done) / speed);
  }

  void end() {
    if (open) {
      System.err.print("\r\u001b[K");
    }
  }
}
