package dev.qnext.cpu;

import dev.qnext.QnextException;
import dev.qnext.machine.CacheFolder;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The library that src/main/c/build makes. It lies in this module's jar; a system loads libraries
 * from files only, so it is copied once into the cache folder, under a name that holds its
 * checksum.
 */
final class CpuLibrary {
  private static final @Nullable SymbolLookup SYMBOLS;
  private static final @Nullable QnextException MISSING;

  static {
    SymbolLookup symbols = null;
    QnextException missing = null;
    try {
      symbols = SymbolLookup.libraryLookup(file(), Arena.global());
    } catch (QnextException e) {
      missing = e;
    } catch (IOException | IllegalArgumentException e) {
      missing =
          new QnextException(
              "the CPU kernels cannot be loaded (%s); build again with '%s'"
                  .formatted(e.getMessage(), buildAgain()),
              e);
    }
    SYMBOLS = symbols;
    MISSING = missing;
  }

  private CpuLibrary() {}

  /**
   * The library's functions.
   *
   * @throws QnextException if there is none; the sentence says what to do
   */
  static SymbolLookup symbols() {
    if (SYMBOLS == null) {
      throw new QnextException(String.valueOf(MISSING == null ? null : MISSING.getMessage()));
    }
    return SYMBOLS;
  }

  private static boolean isMac() {
    return System.getProperty("os.name", "").startsWith("Mac");
  }

  /** The launcher builds what is not there. */
  private static String buildAgain() {
    return "rm -rf %s/target/launcher".formatted(System.getProperty("qnext.home", "."));
  }

  static String installCompiler() {
    return isMac() ? "xcode-select --install" : "apt install gcc";
  }

  private static Path file() throws IOException {
    String name = isMac() ? "libqnextcpu.dylib" : "libqnextcpu.so";
    URL resource = CpuLibrary.class.getResource(name);
    if (resource == null) {
      throw new QnextException(
          "the CPU kernels were not built because there was no C compiler; install one with '%s', then build again with '%s'"
              .formatted(installCompiler(), buildAgain()));
    }
    if (resource.getProtocol().equals("file")) {
      return Path.of(URI.create(resource.toString()));
    }
    byte[] bytes;
    try (InputStream in = resource.openStream()) {
      bytes = in.readAllBytes();
    }
    CRC32C sum = new CRC32C();
    sum.update(bytes);
    Path cache = CacheFolder.path();
    if (cache != null) {
      try {
        Path file = cache.resolve("%08x-%s".formatted(sum.getValue(), name));
        if (!Files.exists(file) || Files.size(file) != bytes.length) {
          CacheFolder.replace(file, bytes);
        }
        return file;
      } catch (IOException e) {
        // A home folder that cannot be written: a copy of this run's own will do.
      }
    }
    Path file = Files.createTempFile(name, "");
    file.toFile().deleteOnExit();
    Files.write(file, bytes);
    return file;
  }
}
