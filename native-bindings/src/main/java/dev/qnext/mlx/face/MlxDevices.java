package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_c;
import dev.qnext.mlx.capi.mlx_device_info_;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What MLX knows of the machine's devices. */
public final class MlxDevices {
  private MlxDevices() {}

  @FunctionalInterface
  private interface Question {
    int ask(MemorySegment answer);
  }

  private static boolean answer(Question question) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment answer = arena.allocate(ValueLayout.JAVA_BOOLEAN);
      MlxErrors.check(question.ask(answer));
      return answer.get(ValueLayout.JAVA_BOOLEAN, 0);
    }
  }

  /**
   * Metal was built in and the system has a GPU for it; whether it works only a computation shows.
   */
  public static boolean hasMetal() {
    return answer(mlx_c::mlx_metal_is_available);
  }

  public static boolean hasCuda() {
    return answer(mlx_c::mlx_cuda_is_available);
  }

  /**
   * A size in bytes or a count by MLX's key, such as "max_recommended_working_set_size"; 0 if it
   * has none.
   */
  public static long size(MlxDevice device, String key) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = info(device, arena);
      MemorySegment name = arena.allocateFrom(key);
      try {
        if (!answer(exists -> mlx_c.mlx_device_info_has_key(exists, info, name))
            || answer(text -> mlx_c.mlx_device_info_is_string(text, info, name))) {
          return 0;
        }
        MemorySegment value = arena.allocate(ValueLayout.JAVA_LONG);
        MlxErrors.check(mlx_c.mlx_device_info_get_size(value, info, name));
        return value.get(ValueLayout.JAVA_LONG, 0);
      } finally {
        mlx_c.mlx_device_info_free(info);
      }
    }
  }

  /** A text by MLX's key, such as "architecture"; empty if it has none. */
  public static String text(MlxDevice device, String key) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = info(device, arena);
      MemorySegment name = arena.allocateFrom(key);
      try {
        if (!answer(exists -> mlx_c.mlx_device_info_has_key(exists, info, name))
            || !answer(text -> mlx_c.mlx_device_info_is_string(text, info, name))) {
          return "";
        }
        MemorySegment value = arena.allocate(ValueLayout.ADDRESS);
        MlxErrors.check(mlx_c.mlx_device_info_get_string(value, info, name));
        return value.get(ValueLayout.ADDRESS, 0).reinterpret(4096).getString(0);
      } finally {
        mlx_c.mlx_device_info_free(info);
      }
    }
  }

  private static MemorySegment info(MlxDevice device, Arena arena) {
    MemorySegment handle = mlx_c.mlx_device_new_type(arena, device.ordinal(), 0);
    MlxErrors.checkHandle(handle);
    MemorySegment info = arena.allocate(mlx_device_info_.layout());
    int status = mlx_c.mlx_device_info_get(info, handle);
    mlx_c.mlx_device_free(handle);
    MlxErrors.check(status);
    return info;
  }
}
