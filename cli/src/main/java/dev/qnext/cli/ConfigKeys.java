package dev.qnext.cli;

import dev.qnext.cli.ConfigFile.Setting;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Which keys the user's settings may have: the long names of all options without dashes, alone or
 * behind a command and a point. A command's options are read only when they are needed.
 */
final class ConfigKeys {
  private final CommandLine parsing;
  private final Map<String, List<String>> keys = new HashMap<>();

  /**
   * @param parsing commands that were made already
   */
  ConfigKeys(CommandLine parsing) {
    this.parsing = parsing;
  }

  /** The keys of an option; none for those that settings do not reach, such as one of a choice. */
  static List<String> of(OptionSpec option) {
    List<String> keys = new ArrayList<>();
    boolean common = option.usageHelp() || option.versionHelp() || option.inherited();
    if (!common && option.group() == null) {
      for (String name : option.names()) {
        if (name.startsWith("--")) {
          keys.add(name.substring(2));
        }
      }
    }
    return keys;
  }

  private List<String> of(String command) {
    return keys.computeIfAbsent(
        command,
        name -> {
          boolean made = parsing.getSubcommands().containsKey(name);
          List<String> all = new ArrayList<>();
          for (OptionSpec option :
              Commands.spec(made ? parsing : Commands.with(List.of(name)), name).options()) {
            all.addAll(of(option));
          }
          return all;
        });
  }

  /** A sentence about each line of the file that does nothing. */
  List<String> complaints(ConfigFile file) {
    List<String> complaints = new ArrayList<>(file.complaints());
    for (Setting setting : file.settings()) {
      if (!isKnown(setting.key())) {
        complaints.add(
            "%s: there is no setting %s; the nearest is %s"
                .formatted(setting.place(), setting.key(), nearest(setting.key())));
      }
    }
    return complaints;
  }

  private boolean isKnown(String key) {
    int point = key.indexOf('.');
    if (point >= 0) {
      String command = key.substring(0, point);
      return Commands.NAMES.contains(command) && of(command).contains(key.substring(point + 1));
    }
    for (String command : parsing.getSubcommands().keySet()) {
      if (of(command).contains(key)) {
        return true;
      }
    }
    for (String command : Commands.NAMES) {
      if (of(command).contains(key)) {
        return true;
      }
    }
    return false;
  }

  private String nearest(String key) {
    TreeSet<String> candidates = new TreeSet<>();
    for (String command : Commands.NAMES) {
      for (String name : of(command)) {
        candidates.add(key.contains(".") ? command + "." + name : name);
      }
    }
    return Nearest.sorted(key, candidates, 1).getFirst();
  }
}
