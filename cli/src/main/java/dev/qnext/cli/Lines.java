package dev.qnext.cli;

import org.jspecify.annotations.Nullable;

/** Where the messages and commands of a conversation come from. */
interface Lines extends AutoCloseable {
  /** The exit code behind a second Ctrl-C. */
  int INTERRUPTED = 130;

  String PROMPT = "> ";
  String CONTINUATION = ". ";

  String INTERRUPT_WARNING = "(Ctrl-C again leaves; so do Ctrl-D and /exit)";

  /**
   * What the user types next, whole if it has several lines; null to leave.
   *
   * @param draft what stands in the line already; only where {@link #edits}
   */
  @Nullable String read(String draft);

  /** Whether a draft can be edited. */
  boolean edits();

  /** Puts a question to the user; empty if nothing is answered. */
  String ask(String question);

  /** Lends the terminal to another program, until the next line is read. */
  void lend();

  /** How the process ends, once the user has left. */
  int exitCode();

  @Override
  void close();
}
