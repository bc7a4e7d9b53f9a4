package dev.qnext.suites;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.ReferenceBackend;

class ReferenceCheckpointMutationTest extends CheckpointMutationSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }
}
