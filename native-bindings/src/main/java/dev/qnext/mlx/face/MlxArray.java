package dev.qnext.mlx.face;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A handle of an array, computed or not. Freed by its owner: the arena in which it was made or,
 * once taken out of that ({@link Mlx#keep}), whoever closes it. What is computed from a freed
 * handle stays right, for the graph holds its inputs by itself.
 */
public final class MlxArray implements AutoCloseable {
  private final MlxContext mlx;
  @Nullable MemorySegment slot;
  @Nullable MlxArena owner;

  MlxArray(MlxContext mlx, MemorySegment slot, @Nullable MlxArena owner) {
    this.mlx = mlx;
    this.slot = slot;
    this.owner = owner;
  }

  /**
   * The {@code mlx_array} struct.
   *
   * @throws IllegalStateException if this handle was freed
   */
  public MemorySegment handle() {
    MemorySegment s = slot;
    if (s == null) {
      throw new IllegalStateException("the array was freed");
    }
    return s;
  }

  @Override
  public void close() {
    mlx.free(this);
  }
}
