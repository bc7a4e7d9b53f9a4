package dev.qnext.cli;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The most memory that this process has had resident, mapped weights included. */
final class PeakMemory {
  /** RUSAGE_SELF of sys/resource.h, on Linux and macOS. */
  private static final int SELF = 0;

  /** struct rusage begins with two timevals of 16 bytes; then ru_maxrss, a long. */
  private static final long MAX_RSS = 32;

  private static final long RUSAGE_BYTES = 144;

  private PeakMemory() {}

  /** 0 where the system does not tell. */
  static long bytes() {
    try (Arena arena = Arena.ofConfined()) {
      Linker linker = Linker.nativeLinker();
      var getrusage =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("getrusage"),
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
      MemorySegment usage = arena.allocate(RUSAGE_BYTES, 8);
      int code = (int) getrusage.invokeExact(SELF, usage);
      // Linux counts kilobytes, macOS bytes.
      long unit = System.getProperty("os.name", "").startsWith("Mac") ? 1 : 1024;
      return code == 0 ? usage.get(ValueLayout.JAVA_LONG, MAX_RSS) * unit : 0;
    } catch (Throwable e) {
      return 0;
    }
  }
}
