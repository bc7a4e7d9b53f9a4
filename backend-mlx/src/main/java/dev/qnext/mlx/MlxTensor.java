package dev.qnext.mlx;

import dev.qnext.backend.Tensor;
import dev.qnext.mlx.face.MlxArray;
import org.jspecify.annotations.Nullable;

/**
 * A matrix of activations, or token ids in one column.
 *
 * @param drawn for sampled tokens, the logits that they were drawn at [rows, 1]: not finite where
 *     the model is damaged
 */
record MlxTensor(MlxArray array, int rows, int columns, @Nullable MlxArray drawn)
    implements Tensor {
  MlxTensor(MlxArray array, int rows, int columns) {
    this(array, rows, columns, null);
  }

  static MlxTensor of(Tensor tensor) {
    return (MlxTensor) tensor;
  }

  static MlxArray array(Tensor tensor, int columns) {
    if (tensor.columns() != columns) {
      throw new IllegalArgumentException(
          "a tensor of %d columns in place of %d".formatted(tensor.columns(), columns));
    }
    return of(tensor).array;
  }

  @Override
  public void close() {
    array.close();
    if (drawn != null) {
      drawn.close();
    }
  }
}
