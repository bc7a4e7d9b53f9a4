package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_c;
import dev.qnext.mlx.capi.mlx_string_;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds libmlxc, loads it once per process and checks that it is the version whose bindings these
 * are: a call with another signature would crash rather than fail. Only libmlxc is loaded; it finds
 * libmlx beside it.
 */
public final class MlxLibrary {
  /** The version of MLX that the bindings were made and tested with. */
  public static final String VERSION = "0.32.2";

  /** All functions of the bindings: the list that jextract made them from. */
  private static final String SYMBOLS = "/dev/qnext/mlx/jextract-includes.txt";

  /** libc's free, for which null is nothing to do. */
  static final MemorySegment FREE = Linker.nativeLinker().defaultLookup().findOrThrow("free");

  private static final String INSTALL = "install it with scripts/install-mlx";

  private static @Nullable MlxLibrary loaded;
  private static @Nullable MlxException failure;

  private final Path file;

  private MlxLibrary(Path file) {
    this.file = file;
  }

  /** The file that was loaded. */
  public Path file() {
    return file;
  }

  /**
   * Loads the library unless that was done.
   *
   * @throws MlxException if it is not there or not the right one; the same one at each call
   */
  public static synchronized MlxLibrary load() {
    if (failure != null) {
      throw failure;
    }
    if (loaded == null) {
      try {
        loaded = load(folders());
      } catch (MlxException e) {
        failure = e;
        throw e;
      }
    }
    return loaded;
  }

  /** Folders in which libmlxc may lie, the first that has it is taken. */
  public static Set<Path> folders() {
    Set<Path> folders = new LinkedHashSet<>();
    String told = System.getenv("QNEXT_MLX");
    if (told != null && !told.isEmpty()) {
      folders.add(Path.of(told));
      return folders;
    }
    String installed = System.getProperty("qnext.mlx");
    if (installed != null && !installed.isEmpty()) {
      folders.add(Path.of(installed));
    }
    if (isMac()) {
      folders.add(Path.of("/opt/homebrew/opt/mlx-c/lib"));
    }
    return folders;
  }

  /** True on macOS. */
  public static boolean isMac() {
    return System.getProperty("os.name", "").toLowerCase(Locale.ROOT).startsWith("mac");
  }

  private static MlxLibrary load(Set<Path> folders) {
    String name = System.mapLibraryName("mlxc");
    for (Path folder : folders) {
      Path file = folder.resolve(name);
      if (Files.exists(file)) {
        return load(file.toAbsolutePath());
      }
    }
    throw new MlxException(
        folders.isEmpty()
            ? "MLX was not found: neither QNEXT_MLX nor the property qnext.mlx names its folder; "
                + INSTALL
            : "MLX was not found: there is no %s in %s; %s"
                .formatted(
                    name,
                    String.join(" or ", folders.stream().map(Path::toString).toList()),
                    INSTALL));
  }

  private static MlxLibrary load(Path file) {
    requireKernels(Objects.requireNonNull(file.getParent()), isMac());
    try {
      System.load(file.toString());
    } catch (UnsatisfiedLinkError e) {
      throw new MlxException(
          "%s cannot be loaded: %s; %s".formatted(file, reason(file, e), again()), e);
    }
    List<String> missing = missing(SymbolLookup.loaderLookup());
    if (!missing.isEmpty()) {
      String others =
          missing.size() == 1 ? "" : " and %d more functions".formatted(missing.size() - 1);
      throw new MlxException(
          "%s lacks %s%s, so it is not of mlx-c 0.7.0; %s"
              .formatted(file, missing.getFirst(), others, again()));
    }
    MlxErrors.install();
    String version = version();
    if (!version.equals(VERSION)) {
      throw new MlxException(
          "%s belongs to MLX %s, but qnext needs %s; %s"
              .formatted(file, version, VERSION, again()));
    }
    return new MlxLibrary(file);
  }

  /**
   * A folder with libmlx must have MLX's Metal kernels too: without them MLX loads all the same,
   * and its first operation fails as if there were no GPU.
   */
  static void requireKernels(Path folder, boolean mac) {
    Path kernels = folder.resolve("mlx.metallib");
    if (!mac || !Files.exists(folder.resolve("libmlx.dylib"))) {
      return;
    }
    if (!Files.exists(kernels)) {
      throw new MlxException(
          "%s, which holds MLX's kernels, is missing; %s".formatted(kernels, again()));
    }
    if (kernels.toFile().length() == 0) {
      throw new MlxException(
          "%s, which holds MLX's kernels, is empty; %s".formatted(kernels, again()));
    }
  }

  /** The linker's words without the file's name, which Java and the linker both put before them. */
  private static String reason(Path file, UnsatisfiedLinkError e) {
    return String.valueOf(e.getMessage()).replace(file + ": ", "");
  }

  private static String again() {
    return "install it anew with scripts/install-mlx --force";
  }

  /** Functions of the bindings that the library does not have. */
  static List<String> missing(SymbolLookup library) {
    List<String> missing = new ArrayList<>();
    try (InputStream in = MlxLibrary.class.getResourceAsStream(SYMBOLS)) {
      if (in == null) {
        throw new IllegalStateException("no resource " + SYMBOLS);
      }
      BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("--include-function ")) {
          String symbol = line.substring("--include-function ".length()).strip();
          if (library.find(symbol).isEmpty()) {
            missing.add(symbol);
          }
        }
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    return missing;
  }

  /** What MLX says of itself; mlx-c has no version of its own. */
  static String version() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = mlx_string_.allocate(arena);
      MlxErrors.check(mlx_c.mlx_version(text));
      String version = mlx_c.mlx_string_data(text).getString(0);
      mlx_c.mlx_string_free(text);
      return version;
    }
  }
}
