package dev.qnext.suites;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.ReferenceBackend;

class ReferenceOperationTest extends OperationSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }

  /** f32 arithmetic throughout. */
  @Override
  protected double limit(String operation) {
    return operation.equals("embed") ? 1e-14 : 1e-12;
  }
}
