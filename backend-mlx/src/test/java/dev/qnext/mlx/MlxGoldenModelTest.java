package dev.qnext.mlx;

import dev.qnext.backend.Backend;
import dev.qnext.suites.GoldenModelSuite;

@NeedsMlx
class MlxGoldenModelTest extends GoldenModelSuite {
  @Override
  protected Backend backend() {
    return new MlxProvider().open();
  }
}
