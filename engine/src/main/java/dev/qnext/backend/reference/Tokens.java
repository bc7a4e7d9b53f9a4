package dev.qnext.backend.reference;

import dev.qnext.backend.Tensor;

/** Token ids, one a row. */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
record Tokens(int[] ids) implements Tensor {
  @Override
  public int rows() {
    return ids.length;
  }

  @Override
  public int columns() {
    return 1;
  }
}
