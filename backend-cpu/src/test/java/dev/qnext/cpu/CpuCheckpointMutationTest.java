package dev.qnext.cpu;

import dev.qnext.backend.Backend;
import dev.qnext.suites.CheckpointMutationSuite;

class CpuCheckpointMutationTest extends CheckpointMutationSuite {
  @Override
  protected Backend backend() {
    return new CpuProvider().open();
  }
}
