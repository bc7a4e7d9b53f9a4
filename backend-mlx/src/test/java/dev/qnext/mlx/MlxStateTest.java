package dev.qnext.mlx;

import dev.qnext.backend.Backend;
import dev.qnext.suites.StateSuite;

@NeedsMlx
class MlxStateTest extends StateSuite {
  @Override
  protected Backend backend() {
    return new MlxProvider().open();
  }

  @Override
  protected double tolerance() {
    return 1e-3;
  }
}
