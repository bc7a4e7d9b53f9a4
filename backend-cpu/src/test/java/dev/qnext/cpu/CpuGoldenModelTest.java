package dev.qnext.cpu;

import dev.qnext.backend.Backend;
import dev.qnext.suites.GoldenModelSuite;

class CpuGoldenModelTest extends GoldenModelSuite {
  @Override
  protected Backend backend() {
    return new CpuProvider().open();
  }

  /** Keys and values are kept in f16. Seen: 5.3e-3. */
  @Override
  protected double largestError() {
    return 2e-2;
  }

  @Override
  protected boolean exactProducts() {
    return false;
  }
}
