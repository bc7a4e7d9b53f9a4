package dev.qnext.cli;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/**
 * The commands by name, and the command line made of them. Of a command that is called only its own
 * options are read from its annotations: for all commands that takes longer than many of them run.
 */
final class Commands {
  /** In the order of the help text. */
  static final List<String> NAMES =
      List.of(
          "chat",
          "complete",
          "score",
          "tokens",
          "template",
          "use",
          "list",
          "quantize",
          "recipes",
          "perplexity",
          "bench",
          "inspect",
          "doctor",
          "completion",
          "man",
          "help");

  private Commands() {}

  private static Class<?> type(String name) {
    return switch (name) {
      case "chat" -> ChatCommand.class;
      case "complete" -> CompleteCommand.class;
      case "score" -> ScoreCommand.class;
      case "tokens" -> TokensCommand.class;
      case "template" -> TemplateCommand.class;
      case "use" -> UseCommand.class;
      case "list" -> ListCommand.class;
      case "quantize" -> QuantizeCommand.class;
      case "recipes" -> RecipesCommand.class;
      case "perplexity" -> PerplexityCommand.class;
      case "bench" -> BenchCommand.class;
      case "inspect" -> InspectCommand.class;
      case "doctor" -> DoctorCommand.class;
      case "completion" -> CompletionCommand.class;
      case "man" -> ManCommand.class;
      case "help" -> CommandLine.HelpCommand.class;
      default -> throw new IllegalArgumentException(name);
    };
  }

  /** The command that is called; null where that takes more than a look at the first word. */
  static @Nullable String called(String... args) {
    return args.length > 0 && !args[0].equals("help") && NAMES.contains(args[0]) ? args[0] : null;
  }

  /** What reads these arguments. */
  static CommandLine forArguments(String... args) {
    String called = called(args);
    return called == null ? all() : with(List.of(called));
  }

  /** One of the commands that a command line has. */
  static CommandSpec spec(CommandLine line, String name) {
    return Objects.requireNonNull(line.getSubcommands().get(name)).getCommandSpec();
  }

  /** With every command. */
  static CommandLine all() {
    return with(NAMES);
  }

  /** With some of the commands. */
  static CommandLine with(List<String> names) {
    CommandLine line = new CommandLine(new Qnext());
    for (String name : names) {
      line.addSubcommand(name, type(name));
    }
    return line.setCaseInsensitiveEnumValuesAllowed(true)
        .setUsageHelpAutoWidth(true)
        // @FILE is a value of --system here, and a prompt may begin with @.
        .setExpandAtFiles(false);
  }
}
