package dev.qnext.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** What a shell needs to complete the words of this command line. */
@Command(
    name = "completion",
    description = {
      "Prints a script that completes commands, options and names of models in a shell.",
      "scripts/install puts it where shells look for it. For this shell alone: eval \"$$(qnext"
          + " completion bash)\""
    },
    mixinStandardHelpOptions = true)
final class CompletionCommand implements Callable<Integer> {
  enum Shell {
    BASH,
    ZSH
  }

  @Parameters(paramLabel = "SHELL", description = "bash or zsh.")
  private Shell shell = Shell.BASH;

  @Override
  public Integer call() {
    CompletionScript script = new CompletionScript(Commands.all().getCommandSpec());
    Output.standard().print(shell == Shell.BASH ? script.bash() : script.zsh());
    Output.standard().flush();
    return 0;
  }
}
