package dev.qnext.mlx;

import dev.qnext.QnextException;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxDevices;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxMemory;
import java.lang.management.ManagementFactory;
import java.lang.management.OperatingSystemMXBean;
import java.util.function.Consumer;

/**
 * How much memory a device may use, asked before it is needed; and the wiring that keeps weights
 * where they are.
 */
final class MlxLimits {
  /**
   * Room that the system and other programs need beside weights that nearly fill the working set.
   */
  private static final long SPARE = 1L << 30;

  private final MlxDevice device;
  private final long limit;
  private boolean wired;
  private Consumer<String> warnings = warning -> {};

  MlxLimits(MlxDevice device) {
    this(device, limit(device));
  }

  /**
   * @param limit bytes that the device can use; 0 if nobody knows
   */
  MlxLimits(MlxDevice device, long limit) {
    this.device = device;
    this.limit = limit;
  }

  private static long limit(MlxDevice device) {
    if (device == MlxDevice.GPU) {
      return MlxDevices.size(device, "max_recommended_working_set_size");
    }
    OperatingSystemMXBean system = ManagementFactory.getOperatingSystemMXBean();
    return system instanceof com.sun.management.OperatingSystemMXBean s
        ? s.getTotalMemorySize()
        : 0;
  }

  void warnTo(Consumer<String> consumer) {
    warnings = consumer;
  }

  /**
   * @throws QnextException if the weights do not fit beside what is in use
   */
  void requireWeights(long bytes) {
    requireRoom(
        bytes, "the weights take %,d MB".formatted(bytes >> 20), "take a smaller quantization");
  }

  /**
   * @param bytes by how much the state grows
   * @throws QnextException if that does not fit beside what is in use
   */
  void requireContext(long bytes, long tokens) {
    requireRoom(
        bytes,
        "a context of %,d tokens takes %,d MB more".formatted(tokens, bytes >> 20),
        "start a new conversation or take a smaller quantization");
  }

  private void requireRoom(long bytes, String claim, String remedy) {
    long used = MlxMemory.active();
    if (limit > 0 && used + bytes + SPARE > limit) {
      throw new QnextException(
          "%s, but MLX can use %,d MB here%s and needs %,d MB of that beside them; %s%s"
              .formatted(
                  claim,
                  limit >> 20,
                  used >> 20 == 0 ? "" : ", of which %,d MB are in use,".formatted(used >> 20),
                  SPARE >> 20,
                  remedy,
                  device == MlxDevice.GPU && MlxDevices.hasMetal()
                      ? ", or raise the limit with: sudo sysctl iogpu.wired_limit_mb=%d"
                          .formatted((used + bytes + 4 * SPARE) >> 20)
                      : ""));
    }
  }

  /**
   * Wires what is in use now, weights and first caches, once: temporaries stay outside, for
   * changing the wired set while work runs has crashed machines (mlx#3186). Not wired, weights near
   * the limit are compressed by the system.
   */
  void wire() {
    if (wired || device != MlxDevice.GPU || !MlxDevices.hasMetal()) {
      return;
    }
    wired = true;
    long wanted = Math.min(MlxMemory.active(), limit);
    try {
      MlxMemory.wiredLimit(wanted);
    } catch (MlxException e) {
      warnings.accept(
          "the system refuses to keep %,d MB wired (%s), so answers may be slow; allow it with: sudo sysctl iogpu.wired_limit_mb=%d"
              .formatted(wanted >> 20, e.getMessage(), (wanted + 4 * SPARE) >> 20));
    }
  }
}
