package dev.qnext.machine;

import dev.qnext.machine.Machine.Pressure;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;

/** A Linux machine, by the files of /proc, /sys and /etc. */
final class LinuxMachine {
  /** As /proc/cpuinfo calls them, x86 first, then Arm. */
  private static final List<String> FEATURES =
      List.of(
          "avx2",
          "fma",
          "f16c",
          "avx512f",
          "avx512_vnni",
          "avx512vbmi",
          "avx512_bf16",
          "avx_vnni",
          "amx_int8",
          "amx_bf16",
          "asimd",
          "asimddp",
          "i8mm",
          "bf16",
          "sve",
          "sve2");

  /** Share of the last ten seconds in which something waited for memory, in percent. */
  private static final double SHORT = 10;

  private static final double VERY_SHORT = 40;

  private LinuxMachine() {}

  static Machine read(Path root, int cores) {
    NamedLines cpu = NamedLines.of(text(root, "proc/cpuinfo"));
    NamedLines memory = NamedLines.of(text(root, "proc/meminfo"));
    List<String> flags =
        Arrays.asList(cpu.text("flags", cpu.text("Features", "")).split("\\s+", -1));
    long total = bytes(memory, "MemTotal");
    long limit = limit(text(root, "sys/fs/cgroup/memory.max"));
    boolean limited = limit > 0 && (total < 0 || limit < total);
    long swap = bytes(memory, "SwapTotal");
    return new Machine(
        system(text(root, "etc/os-release"), text(root, "proc/sys/kernel/osrelease").strip()),
        cpu.text("model name", ""),
        cores,
        -1,
        FEATURES.stream().filter(flags::contains).toList(),
        limited ? limit : total,
        limited ? -1 : bytes(memory, "MemAvailable"),
        swap < 0 ? -1 : swap - bytes(memory, "SwapFree"),
        pressure(text(root, "proc/pressure/memory")),
        false,
        false,
        nvidia(root.resolve("proc/driver/nvidia/gpus")));
  }

  private static String system(String release, String kernel) {
    String name =
        release
            .lines()
            .filter(line -> line.startsWith("PRETTY_NAME="))
            .map(line -> line.substring("PRETTY_NAME=".length()).replace("\"", ""))
            .findFirst()
            .orElse("Linux");
    return kernel.isEmpty() ? name : "%s, kernel %s".formatted(name, kernel);
  }

  /** "16384 kB", or -1. */
  private static long bytes(NamedLines lines, String name) {
    long kilobytes = lines.number(name);
    return kilobytes < 0 ? -1 : 1024 * kilobytes;
  }

  /** The container's limit; -1 for "max" and where there is none. */
  private static long limit(String text) {
    return NamedLines.number(text.strip(), -1);
  }

  /** {@code some avg10=0.00 avg60=0.00 avg300=0.00 total=0}. */
  static Pressure pressure(String text) {
    int at = text.indexOf("some avg10=");
    if (at < 0) {
      return Pressure.UNKNOWN;
    }
    int from = at + "some avg10=".length();
    int to = text.indexOf(' ', from);
    try {
      double waiting = Double.parseDouble(text.substring(from, to < 0 ? text.length() : to));
      return waiting >= VERY_SHORT
          ? Pressure.CRITICAL
          : waiting >= SHORT ? Pressure.WARNING : Pressure.NORMAL;
    } catch (NumberFormatException e) {
      return Pressure.UNKNOWN;
    }
  }

  private static List<String> nvidia(Path gpus) {
    TreeSet<Path> folders = new TreeSet<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(gpus)) {
      found.forEach(folders::add);
    } catch (IOException e) {
      return List.of();
    }
    List<String> names = new ArrayList<>();
    for (Path folder : folders) {
      names.add(NamedLines.of(text(folder, "information")).text("Model", "unknown model"));
    }
    return names;
  }

  /** The file's text; empty where it cannot be read. Files of /proc have no size. */
  private static String text(Path folder, String file) {
    try {
      return new String(Files.readAllBytes(folder.resolve(file)), StandardCharsets.UTF_8);
    } catch (IOException e) {
      return "";
    }
  }
}
