package dev.qnext.cpu;

import dev.qnext.backend.Backend;
import dev.qnext.suites.BatchInvarianceSuite;

class CpuBatchInvarianceTest extends BatchInvarianceSuite {
  @Override
  protected Backend backend() {
    return new CpuProvider().open();
  }
}
