package dev.qnext.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** The manual page. */
@Command(
    name = "man",
    description = "Prints the manual page: qnext man | man -l -",
    mixinStandardHelpOptions = true)
final class ManCommand implements Callable<Integer> {
  @Override
  public Integer call() {
    Output.standard().print(new ManPage(Commands.all().getCommandSpec()).roff());
    Output.standard().flush();
    return 0;
  }
}
