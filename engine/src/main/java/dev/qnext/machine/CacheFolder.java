package dev.qnext.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Where this program may keep what it can make again: {@code $XDG_CACHE_HOME/qnext}, else {@code
 * ~/Library/Caches/qnext} on macOS and {@code ~/.cache/qnext} elsewhere. The launcher keeps its
 * cache in the same folder (scripts/launcher/system.sh).
 */
public final class CacheFolder {
  private CacheFolder() {}

  /** Null where there is no place for one; it may not exist yet. */
  public static @Nullable Path path() {
    return path(System::getenv, System.getProperty("os.name", ""));
  }

  static @Nullable Path path(UnaryOperator<@Nullable String> environment, String system) {
    String cache = environment.apply("XDG_CACHE_HOME");
    String home = environment.apply("HOME");
    try {
      // Others are to be ignored, says the XDG Base Directory Specification.
      if (cache != null && cache.startsWith("/")) {
        return Path.of(cache, "qnext");
      }
      if (home == null || home.isEmpty()) {
        return null;
      }
      return system.startsWith("Mac")
          ? Path.of(home, "Library", "Caches", "qnext")
          : Path.of(home, ".cache", "qnext");
    } catch (InvalidPathException e) {
      return null;
    }
  }

  /**
   * Puts bytes into a file, whole or not at all; folders that are missing are made. Others that
   * read or write the file meanwhile do no harm.
   */
  public static void replace(Path file, byte[] bytes) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null) {
      throw new IOException("%s is a folder".formatted(file));
    }
    Files.createDirectories(folder);
    Path unfinished = Files.createTempFile(folder, "new", null);
    try {
      Files.write(unfinished, bytes);
      Files.move(
          unfinished, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(unfinished);
    }
  }
}
