package dev.qnext;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
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

  /** That a file cannot be written, and why. */
  public static QnextException cannotWrite(Path file, IOException e) {
    return new QnextException("cannot write %s: %s".formatted(file, reason(e)), e);
  }

  /** What the system says of a file that it refused to change, without the exception's name. */
  public static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException missing -> "its folder does not exist";
      case AccessDeniedException denied -> "access is denied";
      case FileSystemException refused -> String.valueOf(refused.getReason());
      default -> String.valueOf(e.getMessage());
    };
  }
}
