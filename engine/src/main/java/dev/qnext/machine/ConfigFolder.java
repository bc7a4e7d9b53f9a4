package dev.qnext.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Where the user's own files lie, settings and conversations: {@code $XDG_CONFIG_HOME/qnext}, else
 * {@code ~/.config/qnext}, on macOS too.
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
      // Others are to be ignored, says the XDG Base Directory Specification.
      if (config != null && config.startsWith("/")) {
        return Path.of(config, "qnext");
      }
      return home == null || home.isEmpty() ? null : Path.of(home, ".config", "qnext");
    } catch (InvalidPathException e) {
      return null;
    }
  }

  /**
   * Puts bytes into a file that its owner alone may read and write, whole or not at all. Folders
   * that are missing are made for the owner alone; behind a symbolic link the file that it names is
   * replaced, and the link stays.
   */
  public static void replace(Path file, byte[] bytes) throws IOException {
    Path target = Files.isSymbolicLink(file) && Files.exists(file) ? file.toRealPath() : file;
    Path folder = target.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(
          folder,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    // What it writes begins as a temporary file, which the JDK makes for the owner alone.
    CacheFolder.replace(target, bytes);
  }
}
