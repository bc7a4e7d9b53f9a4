package dev.qnext.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What becomes of the thoughts of a thinking model. */
final class ThinkOptions {
  /** How a terminal shows thoughts; a pipe gets them only if they are shown. */
  enum Think {
    /** Dim, as they come. */
    SHOW,
    /** As one line that says how long it takes. */
    FOLD,
    HIDE
  }

  @Option(
      names = "--think",
      paramLabel = "show|fold|hide",
      description =
          "What to do with a model's thoughts. Default: show on a terminal, hide in a pipe.")
  private @Nullable Think think;

  @Option(
      names = "--think-budget",
      paramLabel = "N",
      description = "Close a thought after N tokens and go on with the answer.")
  private @Nullable Integer budget;

  Think think() {
    return think != null ? think : Terminal.output() ? Think.SHOW : Think.HIDE;
  }

  /** From now on, by a command of a conversation; null as {@code --think} was not given. */
  void think(@Nullable Think how) {
    think = how;
  }

  /** Finds wrong usage before a model is loaded. */
  void check() {
    if (budget != null && budget < 0) {
      throw new UsageException(
          "--think-budget is %d but must be at least 0".formatted(budget), null);
    }
  }

  /** Most tokens of a thought; {@link Integer#MAX_VALUE} if there is no limit. */
  int budget() {
    return budget == null ? Integer.MAX_VALUE : budget;
  }

  void budget(int tokens) {
    budget = tokens;
  }
}
