package dev.qnext.mlx;

import dev.qnext.backend.Backend;
import dev.qnext.suites.RandomModelSuite;

@NeedsMlx
class MlxRandomModelTest extends RandomModelSuite {
  @Override
  protected Backend backend() {
    return new MlxProvider().open();
  }
}
