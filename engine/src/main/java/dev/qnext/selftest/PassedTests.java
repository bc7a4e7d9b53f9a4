package dev.qnext.selftest;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.json.Json;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Remembers which backends have passed their self-test, so that a start need not repeat it:
 * {"passed": [key, ...]} in a file of the cache folder. A test that failed is not remembered; what
 * was wrong may have gone. The file is replaced as a whole, and one that cannot be read or written
 * only costs time.
 */
public final class PassedTests {
  /** Keys of older programs and systems go. */
  private static final int KEPT = 16;

  private final @Nullable Path file;
  private final Version version;

  /** Backends that have passed in this process, by name and fingerprint. */
  private final Set<String> here = new HashSet<>();

  /** Names the build of a class; null where that cannot be known. */
  @FunctionalInterface
  interface Version {
    @Nullable String of(Class<?> type);
  }

  /**
   * @param folder need not exist; null remembers nothing
   */
  public PassedTests(@Nullable Path folder) {
    this(folder, PassedTests::jar);
  }

  PassedTests(@Nullable Path folder, Version version) {
    this.file = folder == null ? null : folder.resolve("self-tests.json");
    this.version = version;
  }

  /** Whether this backend, as it is, has passed on this system. */
  public boolean contains(Backend backend) {
    String key = key(backend);
    return here.contains(nameOf(backend)) || key != null && read().contains(key);
  }

  public void add(Backend backend) {
    here.add(nameOf(backend));
    String key = key(backend);
    if (file == null || key == null) {
      return;
    }
    List<String> keys = read();
    keys.remove(key);
    keys.add(key);
    keys = keys.subList(Math.max(0, keys.size() - KEPT), keys.size());
    try {
      Files.createDirectories(file.getParent());
      Path whole = Files.createTempFile(file.getParent(), "self-tests", ".new");
      try {
        Files.writeString(whole, Json.write(Map.of("passed", keys)) + "\n");
        Files.move(
            whole, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(whole);
      }
    } catch (IOException e) {
      // The next start tests once more.
    }
  }

  private List<String> read() {
    List<String> keys = new ArrayList<>();
    if (file == null || !Files.exists(file)) {
      return keys;
    }
    try {
      if (Json.read(file, "list of self-tests") instanceof Map<?, ?> map
          && map.get("passed") instanceof List<?> list) {
        for (Object key : list) {
          if (key instanceof String text) {
            keys.add(text);
          }
        }
      }
    } catch (QnextException e) {
      // Damaged: as if it were not there.
    }
    return keys;
  }

  /**
   * All that a result depends on: the backend's fingerprint, the system, and the jars of the
   * backend and of the self-test. Null where classes lie in folders, which change without notice.
   */
  private @Nullable String key(Backend backend) {
    String code = version.of(backend.getClass());
    String test = version.of(SelfTest.class);
    return code == null || test == null
        ? null
        : String.join(
            " | ",
            nameOf(backend),
            System.getProperty("os.name", ""),
            System.getProperty("os.version", ""),
            System.getProperty("os.arch", ""),
            code,
            test);
  }

  private static String nameOf(Backend backend) {
    return backend.name() + " | " + backend.fingerprint();
  }

  /** Path, size and time of the jar that a class is in. */
  static @Nullable String jar(Class<?> type) {
    CodeSource source = type.getProtectionDomain().getCodeSource();
    if (source == null || source.getLocation() == null) {
      return null;
    }
    try {
      Path path = Path.of(source.getLocation().toURI());
      return Files.isRegularFile(path)
          ? "%s %d %s".formatted(path, Files.size(path), Files.getLastModifiedTime(path))
          : null;
    } catch (URISyntaxException | IllegalArgumentException | IOException e) {
      return null;
    }
  }
}
