package dev.qnext.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command that holds the others ({@link Commands}). */
@Command(
    name = "qnext",
    version = Qnext.VERSION,
    description = "Runs Qwen3-Next models in a terminal and in shell pipelines.",
    mixinStandardHelpOptions = true)
final class Qnext implements Runnable {
  static final String VERSION = "qnext 0.1.0";

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli
  private CommandSpec spec;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Show stack traces of failures.")
  private boolean debug;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        debug ? "no command" : "no command given; 'qnext chat' starts a conversation");
  }
}
