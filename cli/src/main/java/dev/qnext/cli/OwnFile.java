package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.machine.ConfigFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Writes files of the user's config folder. */
final class OwnFile {
  private OwnFile() {}

  /**
   * The name, which the user gave, if a file of the folder can have it.
   *
   * @param what it names
   */
  static String requireName(String name, String what) {
    if (name.isEmpty() || name.startsWith(".") || name.contains("/") || name.contains("\\")) {
      throw new UsageException(
          "\"%s\" cannot name a %s: use letters, digits and dashes".formatted(name, what), null);
    }
    return name;
  }

  /** For the user's eyes only, whole or not at all. */
  static void write(Path file, String text) {
    try {
      ConfigFolder.replace(file, text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new QnextException("cannot write %s: %s".formatted(file, Input.reason(e)), e);
    }
  }
}
