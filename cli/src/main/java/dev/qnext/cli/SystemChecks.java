package dev.qnext.cli;

import dev.qnext.backend.Check;
import dev.qnext.machine.CacheFolder;
import dev.qnext.machine.Machine;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What doctor says of Java, the machine and the launcher: facts, and what is wrong with them. */
final class SystemChecks {
  private static final int JAVA = 25;

  private SystemChecks() {}

  /**
   * @param feature the feature release, such as 25
   */
  static List<Check> java(Machine machine, int feature, String architecture) {
    List<Check> checks = new ArrayList<>();
    String version =
        "%s, %s".formatted(Runtime.version(), System.getProperty("java.vendor", "unknown vendor"));
    checks.add(
        feature >= JAVA
            ? Check.pass("version", version)
            : Check.fail("version", version, "install a JDK %d or newer".formatted(JAVA)));
    checks.add(Check.info("home", System.getProperty("java.home", "")));
    boolean foreign =
        machine.translated() || machine.appleSilicon() && !architecture.equals("aarch64");
    checks.add(
        foreign
            ? Check.fail(
                "architecture",
                architecture + " under Rosetta: MLX cannot be loaded, and all is slow",
                "brew install openjdk@25")
            : Check.pass("architecture", architecture));
    return checks;
  }

  static List<Check> machine(Machine machine) {
    List<Check> checks = new ArrayList<>();
    checks.add(Check.info("system", machine.system()));
    String cores =
        machine.fastCores() > 0
            ? "%d cores, %d of them fast".formatted(machine.cores(), machine.fastCores())
            : "%d cores".formatted(machine.cores());
    checks.add(
        Check.info("processor", machine.chip().isEmpty() ? cores : machine.chip() + ", " + cores));
    if (!machine.features().isEmpty()) {
      checks.add(Check.info("features", String.join(" ", machine.features())));
    }
    for (String gpu : machine.nvidia()) {
      checks.add(Check.info("GPU", gpu));
    }
    if (machine.memory() > 0) {
      String memory = bytes(machine.memory());
      checks.add(
          Check.info(
              "memory",
              machine.available() < 0
                  ? memory
                  : "%s, %s available".formatted(memory, bytes(machine.available()))));
    }
    String close = "close other programs, or take a smaller model";
    switch (machine.pressure()) {
      case NORMAL -> checks.add(Check.pass("pressure", "memory is not short"));
      case WARNING -> checks.add(Check.warn("pressure", "memory is short", close));
      case CRITICAL -> checks.add(Check.warn("pressure", "memory is very short", close));
      case UNKNOWN -> {}
    }
    if (machine.swapUsed() >= 0) {
      checks.add(Check.info("swap", bytes(machine.swapUsed()) + " used"));
    }
    return checks;
  }

  static List<Check> launcher() {
    List<Check> checks = new ArrayList<>();
    String home = System.getProperty("qnext.home", "");
    checks.add(
        Check.info("program", home.isEmpty() ? "started without scripts/qnext" : "in " + home));
    Path cache = CacheFolder.path();
    checks.add(
        Check.info("cache folder", cache == null ? "none: HOME is not set" : cache.toString()));
    checks.add(Check.info("AOT cache", aotCache()));
    return checks;
  }

  private static String aotCache() {
    String option = "-XX:AOTCache=";
    for (String argument : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (argument.startsWith(option)) {
        Path file = Path.of(argument.substring(option.length()));
        try {
          return "%s, %s".formatted(file.getFileName(), bytes(Files.size(file)));
        } catch (IOException e) {
          return "%s, which is not there".formatted(file);
        }
      }
    }
    return "not in use; the first start after a build makes one in the background";
  }

  static String bytes(long bytes) {
    return bytes < 1_000_000_000
        ? String.format(Locale.ROOT, "%.0f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }
}
