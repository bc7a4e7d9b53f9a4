package dev.qnext.cli;

import dev.qnext.QnextException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The user's editor: $VISUAL, else $EDITOR. */
record Editor(String command) {
  /** Null if the user has named none. */
  static @Nullable Editor ofUser() {
    for (String name : new String[] {"VISUAL", "EDITOR"}) {
      String command = System.getenv(name);
      if (command != null && !command.isBlank()) {
        return new Editor(command);
      }
    }
    return null;
  }

  /** The text as the user leaves it. */
  String edit(String text) throws InterruptedException {
    try {
      // A temporary file may be read by its owner only.
      Path file = Files.createTempFile("qnext-", ".md");
      try {
        Files.writeString(file, text + "\n");
        // The shell splits the command, which may have options.
        int exit =
            new ProcessBuilder("sh", "-c", command + " \"$1\"", "sh", file.toString())
                .inheritIO()
                .start()
                .waitFor();
        if (exit != 0) {
          throw new QnextException(
              "the editor \"%s\" failed: exit code %d".formatted(command, exit));
        }
        return Files.readString(file).strip();
      } finally {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new QnextException("cannot edit with \"%s\": %s".formatted(command, e.getMessage()), e);
    }
  }
}
