package dev.qnext.cli;

import dev.qnext.QnextException;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * Standard output in UTF-8, for answers alone. Unlike {@link System#out} it notices when nobody
 * reads any more, and can be closed while others print.
 */
final class Output {
  /** Nobody is to read more: the reader of a pipe is gone, or the process ends. */
  static final class ClosedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ClosedException() {}

    ClosedException(IOException cause) {
      super(cause);
    }
  }

  private static final int FILE_TYPE = 0170000;
  private static final int PIPE = 0010000;
  private static final int SOCKET = 0140000;

  private static volatile boolean closed;
  private static Output standard = new Output(new FileOutputStream(FileDescriptor.out));

  private final OutputStream out;
  private boolean lineOpen;

  private Output(OutputStream out) {
    this.out = new BufferedOutputStream(out, 1 << 16);
  }

  static Output standard() {
    return standard;
  }

  /** Puts another stream in the place of standard output, as {@link System#setOut}. */
  static void redirect(OutputStream stream) {
    standard = new Output(stream);
  }

  /** Nothing is printed after this, by whichever thread. */
  static void close() {
    closed = true;
  }

  static boolean isClosed() {
    return closed;
  }

  void print(String text) {
    requireOpen();
    if (text.isEmpty()) {
      return;
    }
    try {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw failed(e);
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
    requireOpen();
    try {
      out.flush();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private static void requireOpen() {
    if (closed) {
      throw new ClosedException();
    }
  }

  /** A pipe fails when nobody reads it any more; anything else has lost an answer. */
  private static RuntimeException failed(IOException e) {
    return isPipe()
        ? new ClosedException(e)
        : new QnextException("cannot write to standard output: %s".formatted(e.getMessage()), e);
  }

  /** Asked of the system, because its message is in the user's language. */
  private static boolean isPipe() {
    try {
      int mode = (Integer) Files.getAttribute(Path.of("/dev/fd/1"), "unix:mode");
      return (mode & FILE_TYPE) == PIPE || (mode & FILE_TYPE) == SOCKET;
    } catch (NoSuchFileException e) {
      // Closed by whoever started this process, if the system shows such files at all.
      return !Files.exists(Path.of("/dev/fd"));
    } catch (IOException | UnsupportedOperationException e) {
      return true;
    }
  }
}
