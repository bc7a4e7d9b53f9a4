package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.cli.ConfigFile.Setting;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;

/**
 * The process: arguments in, exit code out. 0 done, 1 failed at run time, 2 wrong usage, 130
 * interrupted; a closed pipe ends it quietly.
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    // Messages are English in UTF-8 whatever the locale says, and so are their numbers.
    System.setErr(new PrintStream(System.err, true, StandardCharsets.UTF_8));
    Locale.setDefault(Locale.ROOT);
    System.exit(run(args));
  }

  static int run(String[] args) {
    if (args.length == 1 && (args[0].equals("--version") || args[0].equals("-V"))) {
      // Making a command line takes longer than all the rest of the start.
      System.out.println(Qnext.VERSION);
      return CommandLine.ExitCode.OK;
    }
    boolean debug = List.of(args).contains("--debug");
    try {
      CommandLine line = Commands.forArguments(args);
      String called = Commands.called(args);
      if (called != null) {
        applySettings(line, called);
      }
      return line.setParameterExceptionHandler((e, given) -> usage(e))
          .setExecutionExceptionHandler((e, command, parsed) -> failed(e, debug, command))
          .execute(args);
    } catch (Error e) {
      return failed(e, debug, null);
    }
  }

  /** A file that cannot be read is no reason not to answer. */
  private static void applySettings(CommandLine line, String called) {
    try {
      ConfigFile file = ConfigFile.ofUser();
      if (file != null) {
        new ConfigKeys(line).complaints(file).forEach(Main::warn);
        ConfigDefaults.install(file, Commands.spec(line, called));
      }
    } catch (QnextException e) {
      warn(String.valueOf(e.getMessage()));
    }
  }

  private static void warn(String sentence) {
    System.err.println("qnext: " + sentence);
  }

  private static int usage(CommandLine.ParameterException e) {
    CommandLine command = e.getCommandLine();
    ConfigDefaults settings = ConfigDefaults.of(command);
    Setting cause = settings == null ? null : settings.cause(e);
    String sentence =
        e instanceof CommandLine.UnmatchedArgumentException unmatched
            ? unmatched(unmatched.getUnmatched().getFirst(), command)
            : e.getMessage();
    warn((cause == null ? "" : cause.place() + ": ") + sentence);
    printHint(command);
    return CommandLine.ExitCode.USAGE;
  }

  /** What is wrong with the first word that fits nowhere. */
  private static String unmatched(String word, CommandLine command) {
    boolean option = word.startsWith("-") && word.length() > 1;
    if (!option && command.getParent() != null) {
      return "\"%s\" is one argument too many; quote words that belong together".formatted(word);
    }
    String name = option ? word.split("=", 2)[0] : word;
    String nearest =
        Nearest.of(name, option ? command.getCommandSpec().optionsMap().keySet() : Commands.NAMES);
    return "there is no %s %s%s"
        .formatted(
            option ? "option" : "command",
            name,
            nearest == null ? "" : "; did you mean %s?".formatted(nearest));
  }

  private static void printHint(CommandLine command) {
    System.err.printf("Try '%s --help'.%n", command.getCommandSpec().qualifiedName());
  }

  private static int failed(Throwable e, boolean debug, @Nullable CommandLine command) {
    if (e instanceof Output.ClosedException || Output.isClosed()) {
      return CommandLine.ExitCode.OK;
    }
    if (debug) {
      e.printStackTrace();
    } else if (e instanceof QnextException) {
      warn(place(e, command) + e.getMessage());
    } else if (e instanceof OutOfMemoryError) {
      System.err.printf(
          "qnext: there is not enough memory (%s); use a smaller model or prompt, or give Java more with QNEXT_JAVA_OPTS=-Xmx8g%n",
          e.getMessage());
    } else {
      System.err.printf("qnext: internal error: %s (--debug shows where)%n", e);
    }
    if (e instanceof UsageException && command != null) {
      printHint(command);
      return CommandLine.ExitCode.USAGE;
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** Where a value that will not do was set, if not on the command line. */
  private static String place(Throwable e, @Nullable CommandLine command) {
    ConfigDefaults settings = command == null ? null : ConfigDefaults.of(command);
    if (command == null || settings == null || !(e instanceof UsageException)) {
      return "";
    }
    Setting cause = settings.cause(command, String.valueOf(e.getMessage()));
    return cause == null ? "" : cause.place() + ": ";
  }
}
