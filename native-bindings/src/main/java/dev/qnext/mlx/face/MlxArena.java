package dev.qnext.mlx.face;

import java.util.ArrayList;
import java.util.List;

/**
 * Owns the arrays that are made while it is the innermost open arena of its {@link Mlx}; closing
 * frees them.
 */
public final class MlxArena implements AutoCloseable {
  private final MlxContext mlx;
  private final List<MlxArray> arrays = new ArrayList<>();

  MlxArena(MlxContext mlx) {
    this.mlx = mlx;
  }

  void add(MlxArray array) {
    arrays.add(array);
  }

  @Override
  public void close() {
    for (MlxArray array : arrays) {
      if (array.owner == this) {
        mlx.free(array);
      }
    }
    arrays.clear();
    mlx.leave(this);
  }
}
