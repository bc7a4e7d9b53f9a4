package dev.qnext.suites;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.ReferenceBackend;

class ReferenceGoldenModelTest extends GoldenModelSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }
}
