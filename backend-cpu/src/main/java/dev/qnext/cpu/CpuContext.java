package dev.qnext.cpu;

import dev.qnext.QnextException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Threads, kernels and scratch memory on the C side: a {@code struct qn_context} (context.h). */
final class CpuContext implements AutoCloseable {
  private final long address;
  private final int threads;

  /**
   * @param kernels the instruction set's name; null takes the best
   */
  CpuContext(int threads, @Nullable String kernels) {
    CpuLibrary.symbols();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name =
          kernels == null || kernels.isEmpty() ? MemorySegment.NULL : arena.allocateFrom(kernels);
      address = CpuNative.contextNew(threads, name.address());
    }
    if (address == 0) {
      throw new QnextException(
          kernels == null
              ? "the CPU kernels cannot start %d threads".formatted(threads)
              : "QNEXT_CPU_KERNELS is \"%s\", which this processor lacks or this build does not know; valid are: plain, avx2, avx2-vnni, avx512, neon"
                  .formatted(kernels));
    }
    this.threads = threads;
  }

  long address() {
    return address;
  }

  int threads() {
    return threads;
  }

  /** The instruction set. */
  String kernels() {
    return MemorySegment.ofAddress(CpuNative.contextKernels(address)).reinterpret(64).getString(0);
  }

  @Override
  public void close() {
    CpuNative.contextFree(address);
  }
}
