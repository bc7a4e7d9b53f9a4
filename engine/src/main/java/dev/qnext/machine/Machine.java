package dev.qnext.machine;

import java.nio.file.Path;
import java.util.List;

/**
 * What can be learnt of this machine without native code. What the system does not tell is empty,
 * or -1 where a number is meant.
 *
 * @param system name and version, such as "macOS 26.2 (25C56)"
 * @param chip the processor's name, such as "Apple M3 Max"
 * @param cores processors that this program may use
 * @param fastCores performance cores, where the system tells two kinds
 * @param features instruction sets that kernels can make use of, by the system's names
 * @param memory bytes in all, or the limit of this container
 * @param available bytes that can be had without swapping, roughly
 * @param swapUsed bytes
 * @param appleSilicon true for an Apple processor, also seen from a translated process
 * @param translated true when this process runs under Rosetta
 * @param nvidia names of NVIDIA GPUs whose driver is loaded
 */
public record Machine(
    String system,
    String chip,
    int cores,
    int fastCores,
    List<String> features,
    long memory,
    long available,
    long swapUsed,
    Pressure pressure,
    boolean appleSilicon,
    boolean translated,
    List<String> nvidia) {

  /** How short memory is, in the system's own opinion. */
  public enum Pressure {
    UNKNOWN,
    NORMAL,
    WARNING,
    CRITICAL
  }

  public Machine {
    features = List.copyOf(features);
    nvidia = List.copyOf(nvidia);
  }

  /** Asks the system. Takes a few milliseconds, on macOS those of three short programs. */
  public static Machine read() {
    int cores = Runtime.getRuntime().availableProcessors();
    return System.getProperty("os.name", "").startsWith("Mac")
        ? MacMachine.read(Command::onThisMachine, cores)
        : LinuxMachine.read(Path.of("/"), cores);
  }
}
