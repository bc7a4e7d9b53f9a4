package dev.qnext.backend.reference;

import dev.qnext.backend.reference.ReferenceWeights.Matrix;

/** x W^T: a row of W is decoded once and multiplied with every row of x. */
final class MatMul {
  private MatMul() {}

  /**
   * @param expert which of the stacked matrices
   * @param x [T, columns of W]
   * @return [T, rows of W]
   */
  static Floats multiply(Matrix w, int expert, Floats x) {
    int tokens = x.rows();
    int columns = w.columns();
    if (x.columns() != columns) {
      throw new IllegalArgumentException(
          "%s takes %d columns, not %d".formatted(w.path(), columns, x.columns()));
    }
    int rows = w.rows();
    float[] in = x.values();
    float[] out = new float[Math.multiplyExact(tokens, rows)];
    Parallel.run(
        rows,
        (long) columns * (tokens + 1),
        (from, to) -> {
          float[] row = new float[columns];
          for (int r = from; r < to; r++) {
            w.decoder().decode(expert, r, row);
            for (int t = 0; t < tokens; t++) {
              out[t * rows + r] = Arithmetic.dot(row, 0, in, t * columns, columns);
            }
          }
        });
    return new Floats(tokens, rows, out);
  }
}
