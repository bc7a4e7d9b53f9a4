package dev.qnext.mlx.face;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;

/** What macOS must be told of the thread that computes. */
public final class EngineThread {
  /** QOS_CLASS_USER_INITIATED of sys/qos.h. */
  private static final int USER_INITIATED = 0x19;

  private EngineThread() {}

  /**
   * Keeps the calling thread on the performance cores: without a class it drifts to the others
   * after minutes.
   */
  public static void preferFastCores() {
    if (!MlxLibrary.isMac()) {
      return;
    }
    Linker linker = Linker.nativeLinker();
    linker
        .defaultLookup()
        .find("pthread_set_qos_class_self_np")
        .ifPresent(address -> {
          try {
            int unused =
                (int)
                    linker
                        .downcallHandle(
                            address,
                            FunctionDescriptor.of(
                                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT))
                        .invokeExact(USER_INITIATED, 0);
          } catch (Throwable e) {
            throw new AssertionError("should not reach here", e);
          }
        });
  }
}
