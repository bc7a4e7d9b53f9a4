package dev.qnext;

import org.jspecify.annotations.Nullable;

/**
 * A failure that the person at the terminal can act on: one sentence that says what is wrong, with
 * the value and the file, and what to do. Its message is printed as it stands; the stack trace is
 * for {@code --debug}.
 */
public class QnextException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public QnextException(String message) {
    super(message);
  }

  public QnextException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
