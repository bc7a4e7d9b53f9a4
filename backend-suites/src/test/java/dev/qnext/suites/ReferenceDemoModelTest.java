package dev.qnext.suites;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.ReferenceBackend;

class ReferenceDemoModelTest extends DemoModelSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }
}
