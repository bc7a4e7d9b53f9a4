package dev.qnext.mlx;

import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import java.util.ArrayList;
import java.util.List;

/**
 * Triangular masks of one size, and the inverse of triangular matrices by them; one for all layers
 * of a model.
 */
final class MlxTriangles {
  private final Mlx mlx;
  private final int size;
  private final MlxArray causal;
  private final MlxArray strictlyLower;
  private final MlxArray identity;
  private final List<MlxArray> merges = new ArrayList<>();

  private MlxTriangles(Mlx mlx, MlxWeights home, int size) {
    this.mlx = mlx;
    this.size = size;
    this.causal = mask(home, (i, j) -> j <= i ? 0 : Float.NEGATIVE_INFINITY);
    this.strictlyLower = mask(home, (i, j) -> j < i ? 1 : 0);
    this.identity = mask(home, (i, j) -> j == i ? 1 : 0);
    for (int half = 1; half < size; half *= 2) {
      int block = half;
      // Where, in a block of twice the size, the lower half of the rows meets the upper half of the
      // columns.
      merges.add(
          mask(
              home,
              (i, j) ->
                  i / (2 * block) == j / (2 * block) && i / block % 2 == 1 && j / block % 2 == 0
                      ? 1
                      : 0));
    }
  }

  /**
   * @param size rows and columns, a power of 2; always the same for one model
   */
  static MlxTriangles of(Mlx mlx, MlxWeights home, int size) {
    return home.piece(
        MlxTriangles.class, MlxTriangles.class, () -> new MlxTriangles(mlx, home, size));
  }

  @FunctionalInterface
  private interface Entry {
    float at(int row, int column);
  }

  private MlxArray mask(MlxWeights home, Entry entry) {
    float[] mask = new float[size * size];
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        mask[i * size + j] = entry.at(i, j);
      }
    }
    return home.constant(mask, size, size);
  }

  /** To be added: 0 on and below the diagonal, minus infinity above. */
  MlxArray causal() {
    return causal;
  }

  /** To be multiplied: 1 below the diagonal. */
  MlxArray strictlyLower() {
    return strictlyLower;
  }

  /**
   * (I + A)^-1 for strictly lower triangular A, by blocks of twice the size: the inverse of a block
   * from those of its quarters. Stable where a series of powers of A is not (equal keys make its
   * entries grow like binomials).
   */
  MlxArray inverse(MlxArray a) {
    MlxArray x = mlx.subtract(identity, mlx.multiply(a, merges.getFirst()));
    for (MlxArray merge : merges.subList(1, merges.size())) {
      x = mlx.subtract(x, mlx.matmul(x, mlx.matmul(mlx.multiply(a, merge), x)));
    }
    return x;
  }
}
