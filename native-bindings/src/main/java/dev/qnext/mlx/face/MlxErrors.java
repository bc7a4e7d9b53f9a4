package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_array_;
import dev.qnext.mlx.capi.mlx_c;
import dev.qnext.mlx.capi.mlx_error_handler_func;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Turns mlx-c's errors into exceptions. Its default handler ends the process; ours stores the
 * message, and the status or the null handle that the call returns becomes an {@link MlxException}
 * with it.
 */
final class MlxErrors {
  /** Errors come on the thread that made the call. */
  private static final ThreadLocal<String> MESSAGE = new ThreadLocal<>();

  private MlxErrors() {}

  /** Must be the first call of all. */
  static void install() {
    MemorySegment handler =
        mlx_error_handler_func.allocate((text, data) -> MESSAGE.set(text(text)), Arena.global());
    mlx_c.mlx_set_error_handler(handler, MemorySegment.NULL, MemorySegment.NULL);
  }

  /** Never throws: an exception must not leave an upcall. */
  private static String text(MemorySegment text) {
    try {
      String message = text.getString(0);
      // mlx-c appends its own source line, which says nothing to a reader.
      int at = message.lastIndexOf(" at ");
      return at > 0 && message.indexOf(".cpp:", at) > 0 ? message.substring(0, at) : message;
    } catch (RuntimeException e) {
      return "MLX reported an error that cannot be read";
    }
  }

  static void check(int status) {
    if (status != 0) {
      throw failure();
    }
  }

  /** For calls without a status: a handle that is null tells of the failure. */
  static MemorySegment checkHandle(MemorySegment struct) {
    if (mlx_array_.ctx(struct).address() == 0) {
      throw failure();
    }
    return struct;
  }

  static MlxException failure() {
    String message = MESSAGE.get();
    MESSAGE.remove();
    return new MlxException(message == null ? "MLX failed without a message" : message);
  }
}
