package dev.qnext.machine;

import dev.qnext.QnextException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Where a user's own settings, prompts and conversations are, on all systems: {@code
 * $XDG_CONFIG_HOME/qnext}, else {@code ~/.config/qnext}. What is written there is the user's alone.
 */
public final class ConfigFolder {
  private ConfigFolder() {}

  /** Null where there is no place for one; it may not exist yet. */
  public static @Nullable Path path() {
    return path(System::getenv);
  }

  static @Nullable Path path(UnaryOperator<@Nullable String> environment) {
    String config = environment.apply("XDG_CONFIG_HOME");
    String home = environment.apply("HOME");
    try {
      if (config != null && config.startsWith("/")) {
        return Path.of(config, "qnext");
      }
      return home == null || home.isEmpty() ? null : Path.of(home, ".config", "qnext");
    } catch (InvalidPathException e) {
      return null;
    }
  }

  /** Puts bytes into a file that only the user may read, whole or not at all. */
  public static void write(Path file, byte[] bytes) {
    try {
      Path folder = file.toAbsolutePath().getParent();
      if (folder != null && !Files.exists(folder)) {
        Files.createDirectories(
            folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      }
      // Its temporary file is made for the user alone, and stays so when it is renamed.
      CacheFolder.replace(file, bytes);
    } catch (IOException e) {
      throw new QnextException("cannot write %s: %s".formatted(file, e), e);
    }
  }
}
