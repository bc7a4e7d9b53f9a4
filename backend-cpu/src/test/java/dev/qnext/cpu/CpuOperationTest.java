package dev.qnext.cpu;

import dev.qnext.backend.Backend;
import dev.qnext.suites.OperationSuite;

class CpuOperationTest extends OperationSuite {
  @Override
  protected Backend backend() {
    return new CpuProvider().open();
  }

  /**
   * Activations keep 7 bits per group where a matrix is quantized, keys and values 11 bits; what is
   * left is f32.
   */
  @Override
  protected double limit(String operation) {
    return switch (operation) {
      case "linear", "logits" -> 1e-4;
      case "experts" -> 1e-3;
      case "attention" -> 1e-6;
      default -> 1e-11;
    };
  }
}
