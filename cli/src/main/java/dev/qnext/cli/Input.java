package dev.qnext.cli;

import dev.qnext.QnextException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Where a prompt comes from. Standard input is UTF-8: what is not is replaced by U+FFFD, and one
 * warning says in how many places; a byte order mark at its start is no text.
 */
final class Input {
  private static final byte[] MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

  private Input() {}

  /**
   * Standard input, a blank line, the argument; either may be missing. "-" means standard input,
   * even from a terminal. Empty if neither says anything.
   */
  static String prompt(@Nullable String argument) {
    boolean dash = "-".equals(argument);
    String given = argument == null || dash ? "" : argument;
    if (Terminal.input() && !dash && argument != null) {
      return given;
    }
    String piped = withoutLineEnd(standardInput());
    if (given.isEmpty()) {
      return piped;
    }
    if (piped.isBlank()) {
      return given;
    }
    return piped.stripTrailing() + "\n\n" + given;
  }

  /**
   * The prompt that must be there.
   *
   * @param purpose what is missing otherwise, such as "prompt"
   */
  static String requiredPrompt(@Nullable String argument, String purpose) {
    String prompt = prompt(argument);
    if (prompt.isBlank()) {
      throw new UsageException(
          "there is no %s; give it as an argument or on standard input".formatted(purpose), null);
    }
    return prompt;
  }

  /** Puts a question to the user of the terminal; empty if nothing is answered. */
  static String ask(String question) {
    System.err.print(question);
    System.err.flush();
    StringBuilder line = new StringBuilder();
    try {
      for (int c; (c = System.in.read()) >= 0 && c != '\n'; ) {
        line.append((char) c);
      }
    } catch (IOException e) {
      throw new QnextException("cannot read the terminal: %s".formatted(e.getMessage()), e);
    }
    return line.toString();
  }

  static String standardInput() {
    try {
      byte[] bytes = withoutMark(System.in.readAllBytes());
      String text = new String(bytes, StandardCharsets.UTF_8);
      warnOfReplaced(replaced(bytes, text));
      return text;
    } catch (IOException e) {
      throw unreadable(e);
    } catch (OutOfMemoryError e) {
      throw tooLarge(e);
    }
  }

  /** Hands on every line of standard input as soon as it has come, without its end. */
  static void eachLine(Consumer<String> lines) {
    long replaced = 0;
    InputStream in = new BufferedInputStream(System.in);
    boolean first = true;
    for (byte[] bytes; (bytes = line(in)) != null; first = false) {
      bytes = first ? withoutMark(bytes) : bytes;
      String line = new String(bytes, StandardCharsets.UTF_8);
      replaced += replaced(bytes, line);
      lines.accept(line);
    }
    warnOfReplaced(replaced);
  }

  /** Null at the end. */
  private static byte @Nullable [] line(InputStream in) {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    try {
      int b = in.read();
      if (b < 0) {
        return null;
      }
      for (; b >= 0 && b != '\n'; b = in.read()) {
        line.write(b);
      }
      return line.toByteArray();
    } catch (IOException e) {
      throw unreadable(e);
    } catch (OutOfMemoryError e) {
      throw tooLarge(e);
    }
  }

  private static byte[] withoutMark(byte[] bytes) {
    boolean marked =
        bytes.length >= MARK.length && Arrays.equals(bytes, 0, MARK.length, MARK, 0, MARK.length);
    return marked ? Arrays.copyOfRange(bytes, MARK.length, bytes.length) : bytes;
  }

  /**
   * Places that were not UTF-8: characters U+FFFD of the text that are not in the bytes as such.
   */
  private static long replaced(byte[] bytes, String text) {
    long count = 0;
    for (int at = text.indexOf('\uFFFD'); at >= 0; at = text.indexOf('\uFFFD', at + 1)) {
      count++;
    }
    if (count == 0) {
      return 0;
    }
    for (int i = 0; i + 2 < bytes.length; i++) {
      if (bytes[i] == (byte) 0xEF && bytes[i + 1] == (byte) 0xBF && bytes[i + 2] == (byte) 0xBD) {
        count--;
      }
    }
    return count;
  }

  private static void warnOfReplaced(long places) {
    if (places > 0) {
      System.err.printf(
          "qnext: standard input is not valid UTF-8 in %,d %s, replaced by U+FFFD; convert it with iconv%n",
          places, places == 1 ? "place" : "places");
    }
  }

  private static QnextException unreadable(IOException e) {
    return new QnextException("cannot read standard input: %s".formatted(e.getMessage()), e);
  }

  private static QnextException tooLarge(OutOfMemoryError e) {
    return new QnextException(
        "standard input is too large for the memory of this program; give it in smaller parts", e);
  }

  private static String withoutLineEnd(String text) {
    int end = text.length();
    if (end > 0 && text.charAt(end - 1) == '\n') {
      end--;
      if (end > 0 && text.charAt(end - 1) == '\r') {
        end--;
      }
    }
    return text.substring(0, end);
  }

  /** A text, or the text of a file given as @FILE. */
  static String textOrFile(String value) {
    return value.startsWith("@") ? file(Path.of(value.substring(1))) : value;
  }

  static String file(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new QnextException("cannot read %s: %s".formatted(file, reason(e)), e);
    } catch (OutOfMemoryError e) {
      throw new QnextException(
          "cannot read %s: it is too large for the memory of this program".formatted(file), e);
    }
  }

  static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException missing -> "there is no such file";
      case AccessDeniedException denied -> "access is denied";
      case CharacterCodingException malformed ->
          "it is not UTF-8; convert it, for instance with iconv";
      default -> String.valueOf(e.getMessage());
    };
  }
}
