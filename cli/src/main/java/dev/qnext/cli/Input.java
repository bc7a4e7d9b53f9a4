package dev.qnext.cli;

import dev.qnext.QnextException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Where a prompt comes from. */
final class Input {
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
      return new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new QnextException("cannot read standard input: %s".formatted(e.getMessage()), e);
    } catch (OutOfMemoryError e) {
      throw new QnextException("standard input is too large for the memory of this program", e);
    }
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
    }
  }

  static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException missing -> "there is no such file";
      case AccessDeniedException denied -> "access is denied";
      case CharacterCodingException malformed -> "it is not UTF-8";
      default -> String.valueOf(e.getMessage());
    };
  }
}
