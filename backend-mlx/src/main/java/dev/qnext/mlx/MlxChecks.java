package dev.qnext.mlx;

import dev.qnext.backend.Check;
import dev.qnext.machine.Command;
import dev.qnext.machine.NamedLines;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxDevices;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What doctor tells of MLX: its files and what macOS holds against them, its version, its device
 * and memory. Each fault has the command that mends it. Files are looked at without loading them,
 * so that what keeps them from being loaded shows.
 */
final class MlxChecks {
  private static final String INSTALL = "scripts/install-mlx";
  private static final String AGAIN = "scripts/install-mlx --force";
  private static final String KERNELS = "mlx.metallib";

  /** A kernel that only builds for the matrix units have. */
  private static final String NAX_KERNEL = "steel_gemm_fused_nax";

  /** The first GPU generation that has matrix units: M5. */
  private static final int NAX_GENERATION = 17;

  private static final Pattern ARCHITECTURE = Pattern.compile("applegpu_g(\\d+).*");

  private final Command command;
  private final boolean mac;
  private final boolean nvidia;

  /**
   * @param nvidia the machine has an NVIDIA GPU
   */
  MlxChecks(Command command, boolean mac, boolean nvidia) {
    this.command = command;
    this.mac = mac;
    this.nvidia = nvidia;
  }

  /** All that can be looked at. */
  List<Check> all() {
    Collection<Path> folders = MlxLibrary.folders();
    Path folder = folder(folders);
    if (folder == null) {
      return List.of(missing(folders));
    }
    List<Check> checks = new ArrayList<>(files(folder));
    try {
      MlxLibrary.load();
      checks.add(Check.pass("version", "MLX " + MlxLibrary.VERSION + ", mlx-c 0.7.0"));
      Device device = Device.read();
      checks.addAll(device(device));
      if (mac && generation(device.architecture) >= NAX_GENERATION) {
        checks.add(matrixUnits(folder.resolve(KERNELS)));
      }
    } catch (MlxException e) {
      checks.add(Check.fail("loads", "no: " + e.getMessage(), AGAIN));
    }
    return checks;
  }

  private static @Nullable Path folder(Collection<Path> folders) {
    for (Path folder : folders) {
      if (Files.exists(folder.resolve(System.mapLibraryName("mlxc")))) {
        return folder.toAbsolutePath();
      }
    }
    return null;
  }

  /** MLX is needed on a Mac, and would be of use to an NVIDIA GPU. */
  Check missing(Collection<Path> folders) {
    String looked =
        folders.isEmpty()
            ? "not installed"
            : "not installed: looked in "
                + String.join(", ", folders.stream().map(Path::toString).toList());
    return mac
        ? Check.fail("library", looked, INSTALL)
        : new Check("library", Check.Status.INFO, looked, nvidia ? INSTALL + " --cuda" : INSTALL);
  }

  /** The installed files, by themselves. */
  List<Check> files(Path folder) {
    List<Check> checks = new ArrayList<>();
    checks.add(Check.info("library", folder.toString()));
    if (!mac) {
      return checks;
    }
    Path kernels = folder.resolve(KERNELS);
    try {
      checks.add(
          Check.pass("kernels", "%s, %s".formatted(KERNELS, megabytes(Files.size(kernels)))));
    } catch (IOException e) {
      checks.add(Check.fail("kernels", "there is no " + kernels, AGAIN));
    }
    List<Path> libraries = libraries(folder);
    List<String> unsigned = new ArrayList<>();
    boolean quarantined = isQuarantined(kernels);
    for (Path library : libraries) {
      if (!command.run("codesign", "-v", library.toString()).succeeded()) {
        unsigned.add(library.toString());
      }
      quarantined |= isQuarantined(library);
    }
    checks.add(
        unsigned.isEmpty()
            ? Check.pass("signatures", "%d libraries".formatted(libraries.size()))
            : Check.fail(
                "signatures",
                "macOS kills what loads " + String.join(", ", unsigned),
                "codesign -f -s - " + String.join(" ", unsigned)));
    checks.add(
        quarantined
            ? Check.fail(
                "quarantine",
                "set, as on files from a browser: macOS will not load them",
                "xattr -dr com.apple.quarantine " + folder)
            : Check.pass("quarantine", "not set"));
    return checks;
  }

  private static List<Path> libraries(Path folder) {
    TreeSet<Path> libraries = new TreeSet<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, "lib*.dylib")) {
      found.forEach(libraries::add);
    } catch (IOException e) {
      // The check of the library tells.
    }
    return List.copyOf(libraries);
  }

  /** xattr prints the value, or fails: "No such xattr: com.apple.quarantine". */
  private boolean isQuarantined(Path file) {
    return command.run("xattr", "-p", "com.apple.quarantine", file.toString()).succeeded();
  }

  /** What MLX says of the device that it would compute on; sizes are bytes. */
  record Device(boolean gpu, String name, String architecture, long memory, long workingSet) {
    static Device read() {
      boolean gpu = MlxDevices.hasMetal() || MlxDevices.hasCuda();
      MlxDevice device = gpu ? MlxDevice.GPU : MlxDevice.CPU;
      return new Device(
          gpu,
          MlxDevices.text(device, "device_name"),
          MlxDevices.text(device, "architecture"),
          MlxDevices.size(device, "memory_size"),
          MlxDevices.size(device, "max_recommended_working_set_size"));
    }
  }

  List<Check> device(Device device) {
    List<Check> checks = new ArrayList<>();
    String name = " %s %s".formatted(device.name, device.architecture).stripTrailing();
    if (!device.gpu) {
      checks.add(
          mac
              ? Check.fail(
                  "device",
                  "MLX sees no GPU; over ssh, under launchd and in virtual machines there may be none",
                  "run qnext in a terminal of the logged-in user")
              : new Check(
                  "device",
                  Check.Status.INFO,
                  "CPU" + name,
                  nvidia ? "scripts/install-mlx --cuda --force" : null));
      return checks;
    }
    checks.add(Check.pass("device", "GPU" + name));
    if (device.workingSet > 0) {
      String limit =
          device.memory > 0
              ? "MLX may use %s of %s"
                  .formatted(gigabytes(device.workingSet), gigabytes(device.memory))
              : "MLX may use " + gigabytes(device.workingSet);
      checks.add(Check.info("memory", limit));
    }
    if (mac) {
      checks.add(Check.info("wired limit", wiredLimit()));
      checks.add(Check.info("buffers", buffers()));
    }
    return checks;
  }

  /** {@code iogpu.wired_limit_mb: 0} is the system's own choice. */
  private String wiredLimit() {
    NamedLines lines =
        NamedLines.of(
            command.run("sysctl", "iogpu.wired_limit_mb", "iogpu.disable_wired_collector").text());
    long megabytes = lines.number("iogpu.wired_limit_mb");
    String collector =
        lines.number("iogpu.disable_wired_collector") == 1 ? ", kept wired when idle" : "";
    return (megabytes > 0
            ? "%d MB (iogpu.wired_limit_mb, until the next start)".formatted(megabytes)
            : "the system's own")
        + collector;
  }

  private static String buffers() {
    return "MLX_MAX_MB_PER_BUFFER %s, MLX_MAX_OPS_PER_BUFFER %s"
        .formatted(environment("MLX_MAX_MB_PER_BUFFER"), environment("MLX_MAX_OPS_PER_BUFFER"));
  }

  private static String environment(String name) {
    String value = System.getenv(name);
    return value == null ? "not set" : value;
  }

  /** 17 of "applegpu_g17s"; 0 for another architecture. */
  static int generation(String architecture) {
    Matcher matcher = ARCHITECTURE.matcher(architecture);
    return matcher.matches() ? Integer.parseInt(matcher.group(1)) : 0;
  }

  /**
   * Builds without kernels for the matrix units compute right and say nothing, but prompts are read
   * at a third of the speed (mlx#3821).
   */
  static Check matrixUnits(Path kernels) {
    try {
      return contains(kernels, NAX_KERNEL)
          ? Check.pass("matrix units", "kernels for them are there")
          : Check.warn(
              "matrix units",
              "the kernels do not use them, so prompts are read at a third of the speed",
              "update to macOS 26.2 or newer, then " + AGAIN);
    } catch (IOException e) {
      return Check.fail("matrix units", "cannot read %s".formatted(kernels), AGAIN);
    }
  }

  private static boolean contains(Path file, String text) throws IOException {
    byte[] wanted = text.getBytes(StandardCharsets.US_ASCII);
    try (FileChannel channel = FileChannel.open(file);
        Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      MemorySegment name = MemorySegment.ofArray(wanted);
      long last = bytes.byteSize() - wanted.length;
      for (long at = 0; at <= last; at++) {
        if (bytes.get(ValueLayout.JAVA_BYTE, at) == wanted[0]
            && MemorySegment.mismatch(bytes, at, at + wanted.length, name, 0, wanted.length) < 0) {
          return true;
        }
      }
      return false;
    }
  }

  private static String megabytes(long bytes) {
    return String.format(Locale.ROOT, "%.0f MB", bytes / 1e6);
  }

  private static String gigabytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }
}
