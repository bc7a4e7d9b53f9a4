package dev.qnext.mlx;

import dev.qnext.backend.Backend;
import dev.qnext.suites.BatchInvarianceSuite;

@NeedsMlx
class MlxBatchInvarianceTest extends BatchInvarianceSuite {
  @Override
  protected Backend backend() {
    return new MlxProvider().open();
  }

  /** Seen: 2.6e-5 in nine of ten tests, 2.2e-4 in a random model that magnifies its rounding. */
  @Override
  protected double tolerance() {
    return 1e-3;
  }
}
