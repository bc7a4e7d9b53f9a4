package dev.qnext.cpu;

import dev.qnext.backend.Weight;

/**
 * A norm's or vector's numbers, widened to f32 and copied.
 *
 * @param address of the first
 */
record CpuVector(String path, long address, int length) implements Weight {
  static CpuVector of(Weight weight) {
    return (CpuVector) weight;
  }
}
