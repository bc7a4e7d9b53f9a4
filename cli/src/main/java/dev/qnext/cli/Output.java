package dev.qnext.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Standard output in UTF-8, for answers alone. Unlike {@link System#out} it notices when nobody
 * reads any more.
 */
final class Output {
  /** The reader of a pipe is gone. */
  static final class ClosedPipeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ClosedPipeException(IOException cause) {
      super(cause);
    }
  }

  static final Output STANDARD =
      new Output(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));

  private final OutputStream out;
  private boolean lineOpen;

  Output(OutputStream out) {
    this.out = out;
  }

  void print(String text) {
    if (text.isEmpty()) {
      return;
    }
    try {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new ClosedPipeException(e);
    }
    lineOpen = text.charAt(text.length() - 1) != '\n';
  }

  void println(String text) {
    print(text + "\n");
  }

  /** Ends the line if one was begun. */
  void endLine() {
    if (lineOpen) {
      print("\n");
    }
  }

  void flush() {
    try {
      out.flush();
    } catch (IOException e) {
      throw new ClosedPipeException(e);
    }
  }
}
