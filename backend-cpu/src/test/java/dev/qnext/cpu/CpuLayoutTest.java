package dev.qnext.cpu;

import dev.qnext.backend.Backend;
import dev.qnext.suites.LayoutSuite;

class CpuLayoutTest extends LayoutSuite {
  @Override
  protected Backend backend() {
    return new CpuProvider().open();
  }

  @Override
  protected boolean exactProducts() {
    return false;
  }
}
