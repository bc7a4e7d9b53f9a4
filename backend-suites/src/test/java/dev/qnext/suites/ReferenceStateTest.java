package dev.qnext.suites;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.ReferenceBackend;

class ReferenceStateTest extends StateSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }
}
