package dev.qnext.mlx;

import dev.qnext.backend.Backend;
import dev.qnext.suites.DemoModelSuite;

@NeedsMlx
class MlxDemoModelTest extends DemoModelSuite {
  @Override
  protected Backend backend() {
    return new MlxProvider().open();
  }
}
