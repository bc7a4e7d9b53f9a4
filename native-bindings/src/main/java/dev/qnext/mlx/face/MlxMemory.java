package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_c;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** MLX's allocator, one for the process. All sizes are bytes. */
public final class MlxMemory {
  private MlxMemory() {}

  @FunctionalInterface
  private interface Call {
    int on(MemorySegment result);
  }

  private static long size(Call call) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ValueLayout.JAVA_LONG);
      MlxErrors.check(call.on(result));
      return result.get(ValueLayout.JAVA_LONG, 0);
    }
  }

  /** In use by arrays. */
  public static long active() {
    return size(mlx_c::mlx_get_active_memory);
  }

  /** The most that was ever in use. */
  public static long peak() {
    return size(mlx_c::mlx_get_peak_memory);
  }

  /** Gives the kept buffers back to the system. */
  public static void clearCache() {
    MlxErrors.check(mlx_c.mlx_clear_cache());
  }

  /** Sets how much may be kept for reuse; returns the limit before. */
  public static long cacheLimit(long limit) {
    return size(result -> mlx_c.mlx_set_cache_limit(result, limit));
  }

  /**
   * Sets how much is wired, so that the system can neither compress nor move it; returns the limit
   * before.
   *
   * @throws MlxException if the system refuses; the limit is then unchanged
   */
  public static long wiredLimit(long limit) {
    return size(result -> mlx_c.mlx_set_wired_limit(result, limit));
  }
}
