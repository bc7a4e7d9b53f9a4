package dev.qnext.cpu;

import dev.qnext.machine.Machine;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/** How many threads suit this machine. */
final class CpuThreads {
  private CpuThreads() {}

  /**
   * One for each physical core (on Apple silicon: each performance core) that this process may use:
   * memory is what limits decoding, and a second thread on a core only takes part of its caches.
   */
  static int suitable() {
    int processors = Runtime.getRuntime().availableProcessors();
    int cores =
        System.getProperty("os.name", "").startsWith("Mac")
            ? Machine.read().fastCores()
            : physicalCores(Path.of("/sys/devices/system/cpu"));
    return cores > 0 ? Math.min(cores, processors) : processors;
  }

  /** 0 where the system does not tell. */
  static int physicalCores(Path folder) {
    Set<String> cores = new HashSet<>();
    try (DirectoryStream<Path> processors = Files.newDirectoryStream(folder, "cpu[0-9]*")) {
      for (Path processor : processors) {
        Path siblings = processor.resolve("topology/thread_siblings_list");
        if (Files.exists(siblings)) {
          cores.add(Files.readString(siblings).strip());
        }
      }
    } catch (IOException e) {
      return 0;
    }
    return cores.size();
  }
}
