package dev.qnext.cli;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The width of the terminal on standard output, by ioctl. */
final class TerminalSize {
  private static final int STANDARD_OUTPUT = 1;

  /** TIOCGWINSZ of sys/ioctl.h fills struct winsize: four unsigned shorts, rows, then columns. */
  private static final long LINUX_REQUEST = 0x5413;

  private static final long MACOS_REQUEST = 0x40087468;
  private static final long COLUMNS = 2;

  private TerminalSize() {}

  /** 0 where there is no terminal or the system does not tell. */
  static int columns() {
    try (Arena arena = Arena.ofConfined()) {
      Linker linker = Linker.nativeLinker();
      boolean mac = System.getProperty("os.name", "").startsWith("Mac");
      var ioctl =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("ioctl"),
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT,
                  ValueLayout.JAVA_INT,
                  ValueLayout.JAVA_LONG,
                  ValueLayout.ADDRESS),
              Linker.Option.firstVariadicArg(2));
      MemorySegment size = arena.allocate(ValueLayout.JAVA_SHORT, 4);
      int code =
          (int) ioctl.invokeExact(STANDARD_OUTPUT, mac ? MACOS_REQUEST : LINUX_REQUEST, size);
      return code == 0 ? Short.toUnsignedInt(size.get(ValueLayout.JAVA_SHORT, COLUMNS)) : 0;
    } catch (Throwable e) {
      return 0;
    }
  }
}
