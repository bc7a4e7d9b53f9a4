package dev.qnext.machine;

import dev.qnext.machine.Machine.Pressure;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A Mac, by what sysctl, sw_vers and vm_stat print. sysctl prints {@code name: value} lines, leaves
 * out names that it does not know, and then ends with 1: only the lines count.
 */
final class MacMachine {
  private static final String FEATURE = "hw.optional.arm.FEAT_";
  private static final List<String> FEATURES = List.of("DotProd", "I8MM", "BF16", "SME", "SME2");
  private static final Pattern SWAP_USED = Pattern.compile("used = ([0-9.]+)M");
  private static final Pattern PAGE_SIZE = Pattern.compile("page size of ([0-9]+) bytes");

  private MacMachine() {}

  static Machine read(Command command, int cores) {
    List<String> words =
        new ArrayList<>(
            List.of(
                "sysctl",
                "hw.memsize",
                "hw.perflevel0.physicalcpu",
                "machdep.cpu.brand_string",
                "hw.optional.arm64",
                "sysctl.proc_translated",
                "vm.swapusage",
                "kern.memorystatus_vm_pressure_level"));
    FEATURES.forEach(feature -> words.add(FEATURE + feature));
    NamedLines facts = NamedLines.of(command.run(words.toArray(new String[0])).text());
    NamedLines version = NamedLines.of(command.run("sw_vers").text());
    List<String> features = new ArrayList<>();
    for (String feature : FEATURES) {
      if (facts.number(FEATURE + feature) == 1) {
        features.add(feature);
      }
    }
    return new Machine(
        "macOS %s (%s)"
            .formatted(
                version.text("ProductVersion", "of an unknown version"),
                version.text("BuildVersion", "unknown build")),
        facts.text("machdep.cpu.brand_string", ""),
        cores,
        (int) facts.number("hw.perflevel0.physicalcpu"),
        features,
        facts.number("hw.memsize"),
        available(command.run("vm_stat").text()),
        swapUsed(facts.text("vm.swapusage", "")),
        switch ((int) facts.number("kern.memorystatus_vm_pressure_level")) {
          case 1 -> Pressure.NORMAL;
          case 2 -> Pressure.WARNING;
          case 4 -> Pressure.CRITICAL;
          default -> Pressure.UNKNOWN;
        },
        facts.number("hw.optional.arm64") == 1,
        facts.number("sysctl.proc_translated") == 1,
        List.of());
  }

  /** {@code total = 2048.00M used = 1024.50M free = 1023.50M (encrypted)}: bytes, or -1. */
  static long swapUsed(String text) {
    Matcher used = SWAP_USED.matcher(text);
    return used.find() ? (long) (Double.parseDouble(used.group(1)) * (1 << 20)) : -1;
  }

  /** Free pages and those whose content can be dropped or is in a file, in bytes; or -1. */
  static long available(String vmStat) {
    Matcher size = PAGE_SIZE.matcher(vmStat);
    if (!size.find()) {
      return -1;
    }
    NamedLines counts = NamedLines.of(vmStat);
    long pages = 0;
    for (String kind :
        List.of("Pages free", "Pages inactive", "Pages speculative", "Pages purgeable")) {
      pages += Math.max(0, counts.number(kind));
    }
    return pages * Long.parseLong(size.group(1));
  }
}
