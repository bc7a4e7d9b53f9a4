package dev.qnext.cpu;

import dev.qnext.backend.Backend;
import dev.qnext.suites.StateSuite;

class CpuStateTest extends StateSuite {
  @Override
  protected Backend backend() {
    return new CpuProvider().open();
  }
}
