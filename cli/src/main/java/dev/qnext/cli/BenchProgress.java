package dev.qnext.cli;

import dev.qnext.bench.Bench;

/**
 * One line on standard error that says what is being measured, where that is a terminal. Ends the
 * bench when nobody waits for it any more.
 */
final class BenchProgress implements Bench.Progress {
  private String shown = "";

  @Override
  public void doing(String what) {
    if (Output.isClosed()) {
      throw new Output.ClosedException();
    }
    if (!what.equals(shown)) {
      show(what);
    }
  }

  void clear() {
    show("");
  }

  private void show(String what) {
    if (Terminal.error()) {
      System.err.print("\r\u001b[K" + what);
      System.err.flush();
    }
    shown = what;
  }
}
