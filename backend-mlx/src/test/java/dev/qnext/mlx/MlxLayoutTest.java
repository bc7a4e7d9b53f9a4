package dev.qnext.mlx;

import dev.qnext.backend.Backend;
import dev.qnext.suites.LayoutSuite;

@NeedsMlx
class MlxLayoutTest extends LayoutSuite {
  @Override
  protected Backend backend() {
    return new MlxProvider().open();
  }

  /** Seen: 1.1e-5, between packed weights and the numbers that they stand for. */
  @Override
  protected double tolerance() {
    return 1e-4;
  }
}
