package dev.qnext.selftest;

import dev.qnext.checkpoint.WeightSpec;
import java.util.List;

/**
 * One operation on given numbers, as steps that any backend can run.
 *
 * @param sizes formats and sizes, to be printed with it
 * @param exact the operation only moves or chooses numbers, so that it has no rounding
 * @param weights what is bound for it, inputs included
 */
record Case(String operation, String sizes, boolean exact, List<WeightSpec> weights, Body body) {
  /** The steps; what the bench reads is compared. */
  @FunctionalInterface
  interface Body {
    void run(Bench bench);
  }

  static Case of(String operation, String sizes, List<WeightSpec> weights, Body body) {
    return new Case(operation, sizes, false, weights, body);
  }

  static Case exact(String operation, String sizes, List<WeightSpec> weights, Body body) {
    return new Case(operation, sizes, true, weights, body);
  }
}
