package dev.qnext.cli;

import dev.qnext.QnextException;
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
    boolean debug = List.of(args).contains("--debug");
    try {
      return new CommandLine(new Qnext())
          .setCaseInsensitiveEnumValuesAllowed(true)
          .setUsageHelpAutoWidth(true)
          // @FILE is a value of --system here, and a prompt may begin with @.
          .setExpandAtFiles(false)
          .setParameterExceptionHandler((e, given) -> usage(e))
          .setExecutionExceptionHandler((e, command, parsed) -> failed(e, debug, command))
          .execute(args);
    } catch (Error e) {
      return failed(e, debug, null);
    }
  }

  private static int usage(CommandLine.ParameterException e) {
    CommandLine command = e.getCommandLine();
    System.err.println("qnext: " + e.getMessage());
    CommandLine.UnmatchedArgumentException.printSuggestions(e, command.getErr());
    printHint(command);
    return CommandLine.ExitCode.USAGE;
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
      System.err.println("qnext: " + e.getMessage());
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
}
