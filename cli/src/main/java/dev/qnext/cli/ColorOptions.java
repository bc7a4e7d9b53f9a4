package dev.qnext.cli;

import picocli.CommandLine.Option;

/** Whether text is coloured. */
final class ColorOptions {
  @Option(
      names = "--color",
      paramLabel = "WHEN",
      defaultValue = "auto",
      description =
          "Colour text: ${COMPLETION-CANDIDATES}. Default: auto, on a terminal unless NO_COLOR is"
              + " set.")
  private Colors.Choice choice = Colors.Choice.AUTO;

  Colors colors() {
    return Colors.of(choice);
  }
}
