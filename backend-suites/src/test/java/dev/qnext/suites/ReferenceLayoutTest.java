package dev.qnext.suites;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.ReferenceBackend;

class ReferenceLayoutTest extends LayoutSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }
}
