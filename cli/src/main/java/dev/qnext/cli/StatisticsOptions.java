package dev.qnext.cli;

import dev.qnext.generate.Request;
import dev.qnext.generate.Result;
import picocli.CommandLine.Option;

/** Whether it is told what a reply cost. */
final class StatisticsOptions {
  @Option(
      names = "--stats",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Print or leave out the line of statistics on standard error.")
  private boolean stats;

  boolean on() {
    return stats;
  }

  /** From now on, by a command of a conversation. */
  void set(boolean print) {
    stats = print;
  }

  void print(Result result, Request request) {
    if (stats) {
      System.err.println(Statistics.line(result, request.sampling()));
    }
  }
}
