package dev.qnext.cli;

import dev.qnext.QnextException;
import org.jspecify.annotations.Nullable;

/** Wrong usage that only shows while a command runs, such as a missing prompt: exit code 2. */
final class UsageException extends QnextException {
  private static final long serialVersionUID = 1L;

  UsageException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
