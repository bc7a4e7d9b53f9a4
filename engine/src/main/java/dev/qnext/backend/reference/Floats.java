package dev.qnext.backend.reference;

import dev.qnext.backend.Tensor;

/** An f32 tensor, row-major. */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
record Floats(int rows, int columns, float[] values) implements Tensor {
  Floats {
    if (values.length != Math.multiplyExact(rows, columns)) {
      throw new IllegalArgumentException(
          "%d values for [%d, %d]".formatted(values.length, rows, columns));
    }
  }

  static Floats of(Tensor tensor) {
    return (Floats) tensor;
  }

  /** The same, checked to be this wide. */
  static Floats of(Tensor tensor, int columns) {
    Floats floats = (Floats) tensor;
    if (floats.columns != columns) {
      throw new IllegalArgumentException(
          "a tensor of %d columns where %d are needed".formatted(floats.columns, columns));
    }
    return floats;
  }

  Floats slice(int first, int count) {
    return new Floats(
        count,
        columns,
        java.util.Arrays.copyOfRange(values, first * columns, (first + count) * columns));
  }
}
