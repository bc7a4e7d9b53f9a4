package dev.qnext.cli;

import dev.qnext.cli.ConfigFile.Setting;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/** What the user's settings say where an option of a command is not given. */
final class ConfigDefaults implements IDefaultValueProvider {
  private final ConfigFile file;
  private final String command;

  private ConfigDefaults(ConfigFile file, String command) {
    this.file = file;
    this.command = command;
  }

  /** Gives a command its settings; to be called before it parses. */
  static void install(ConfigFile file, CommandSpec spec) {
    ConfigDefaults defaults = new ConfigDefaults(file, spec.name());
    for (OptionSpec option : List.copyOf(spec.options())) {
      if (isFlag(option) && defaults.setting(option) != null) {
        // Without it a flag on the command line would mean the opposite of the setting.
        spec.remove(option);
        spec.addOption(OptionSpec.builder(option).fallbackValue("true").build());
      }
    }
    spec.defaultValueProvider(defaults);
  }

  /** Those of a command; null if it has none. */
  static @Nullable ConfigDefaults of(CommandLine command) {
    return command.getDefaultValueProvider() instanceof ConfigDefaults defaults ? defaults : null;
  }

  ConfigFile file() {
    return file;
  }

  private static boolean isFlag(OptionSpec option) {
    return option.arity().max() == 0 && option.fallbackValue().isEmpty();
  }

  @Override
  public @Nullable String defaultValue(ArgSpec argument) {
    Setting setting = setting(argument);
    // picocli puts variables in place of ${...}, and $ in place of $$.
    return setting == null ? null : setting.value().replace("$", "$$");
  }

  /** What the file says of it; null if nothing. */
  @Nullable Setting setting(ArgSpec argument) {
    if (argument instanceof OptionSpec option) {
      for (String key : ConfigKeys.of(option)) {
        Setting setting = file.get(command, key);
        if (setting != null) {
          return setting;
        }
      }
    }
    return null;
  }

  /** The line whose value an error is about; null if the command line is to blame. */
  @Nullable Setting cause(ParameterException e) {
    Setting setting = e.getArgSpec() == null ? null : setting(e.getArgSpec());
    return setting != null && e.getValue() != null && setting.value().contains(e.getValue())
        ? setting
        : null;
  }

  /**
   * The line that a sentence of a command is about: that of an option which was not given, and
   * whose name's first word is in the sentence. Null if there is none.
   */
  @Nullable Setting cause(CommandLine parsed, String sentence) {
    for (OptionSpec option : parsed.getCommandSpec().options()) {
      Setting setting = setting(option);
      if (setting != null
          && !parsed.getParseResult().hasMatchedOption(option)
          && sentence.contains(option.longestName().substring(2).replaceAll("-.*", ""))) {
        return setting;
      }
    }
    return null;
  }
}
