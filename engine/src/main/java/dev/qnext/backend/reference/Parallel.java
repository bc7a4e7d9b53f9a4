package dev.qnext.backend.reference;

import java.util.concurrent.RecursiveAction;

/** A loop over independent ranges, shared among all cores when there is enough work. */
final class Parallel extends RecursiveAction {
  private static final long serialVersionUID = 1L;

  /** Multiplications that are worth handing to another thread. */
  private static final long GRAIN = 1 << 16;

  @FunctionalInterface
  interface Range {
    void run(int from, int to);
  }

  private final int from;
  private final int to;
  private final int step;
  private final transient Range body;

  private Parallel(int from, int to, int step, Range body) {
    this.from = from;
    this.to = to;
    this.step = step;
    this.body = body;
  }

  /**
   * Runs the body over 0 to count - 1, in ranges of any size; {@code work} is the multiplications
   * of one.
   */
  static void run(int count, long work, Range body) {
    int step = (int) Math.max(1, Math.min(count, GRAIN / Math.max(1, work)));
    if (step >= count) {
      body.run(0, count);
    } else {
      new Parallel(0, count, step, body).invoke();
    }
  }

  @Override
  protected void compute() {
    if (to - from <= step) {
      body.run(from, to);
    } else {
      int middle = from + to >>> 1;
      invokeAll(new Parallel(from, middle, step, body), new Parallel(middle, to, step, body));
    }
  }
}
