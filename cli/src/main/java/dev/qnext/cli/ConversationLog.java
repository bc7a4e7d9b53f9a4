package dev.qnext.cli;

import dev.qnext.QnextException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Keeps a conversation as it grows. Where that cannot be, it says so once and the talk goes on. */
final class ConversationLog {
  private boolean on;

  /** Named when there is something to keep, which is when nobody waits. */
  private @Nullable Path file;

  /**
   * @param on whether anything is kept
   * @param file of an earlier conversation that goes on; null for a new one
   */
  ConversationLog(boolean on, @Nullable Path file) {
    this.on = on;
    this.file = file;
  }

  /** What is kept from now on is another conversation. */
  void startAnew() {
    file = null;
  }

  /** Where it is kept. */
  @Override
  public String toString() {
    return on && file != null ? file.toString() : on ? "a file after the next answer" : "no file";
  }

  void keep(List<? extends Map<String, @Nullable Object>> messages) {
    if (!on) {
      return;
    }
    try {
      file = file == null ? ConversationFile.fresh() : file;
      if (file != null) {
        ConversationFile.write(file, messages);
      }
    } catch (QnextException e) {
      on = false;
      System.err.println("qnext: the conversation is not kept: " + e.getMessage());
    }
  }
}
