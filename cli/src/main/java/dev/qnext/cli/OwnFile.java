package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.machine.ConfigFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Writes files of the user's config folder. */
final class OwnFile {
  private OwnFile() {}

  /** For the user's eyes only, whole or not at all. */
  static void write(Path file, String text) {
    try {
      ConfigFolder.replace(file, text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new QnextException("cannot write %s: %s".formatted(file, Input.reason(e)), e);
    }
  }
}
