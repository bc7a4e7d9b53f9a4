package dev.qnext.mlx;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.OptionalLong;

/** What malloc has given out in this process: MLX's objects, our off-heap memory, the JVM's own. */
final class NativeHeap {
  /** struct mallinfo2 of glibc's malloc.h: ten size_t. */
  private static final int FIELDS = 10;

  private static final int MAPPED = 4; // hblkhd
  private static final int IN_USE = 7; // uordblks

  private NativeHeap() {}

  /** Bytes in use; empty where the C library does not tell (all but glibc). */
  static OptionalLong bytes() {
    Linker linker = Linker.nativeLinker();
    return linker
        .defaultLookup()
        .find("mallinfo2")
        .map(address -> {
          FunctionDescriptor type =
              FunctionDescriptor.of(
                  MemoryLayout.structLayout(
                      MemoryLayout.sequenceLayout(FIELDS, ValueLayout.JAVA_LONG)));
          MethodHandle handle = linker.downcallHandle(address, type);
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = (MemorySegment) handle.invokeExact((SegmentAllocator) arena);
            return OptionalLong.of(
                info.getAtIndex(ValueLayout.JAVA_LONG, MAPPED)
                    + info.getAtIndex(ValueLayout.JAVA_LONG, IN_USE));
          } catch (Throwable e) {
            throw new AssertionError("should not reach here", e);
          }
        })
        .orElse(OptionalLong.empty());
  }
}
