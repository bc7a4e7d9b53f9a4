package dev.qnext.machine;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
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
}
