package dev.qnext.mlx;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.fixtures.Golden;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A GPU that computes nothing and counts the kernels that Metal would launch, on Linux
 * (scripts/host/dry-gpu.cpp). It must be in the process before MLX is, so what uses it is a main
 * class in a JVM of its own.
 *
 * <p>Tests are skipped where it cannot be had, unless QNEXT_REQUIRE_MLX is 1: MLX's folder needs
 * MLX's headers in {@code include}.
 */
final class DryGpu {
  private static final String PROPERTY = "dry.gpu";

  private DryGpu() {}

  // ----------------------------------------------------------------------- in the test's process

  /** What the main class writes to standard output; it fails the test if that class fails. */
  static String run(Class<?> main, String... arguments) throws Exception {
    Path mlx = folder();
    Path library = library(mlx);
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-ea",
                "--enable-native-access=ALL-UNNAMED",
                "-D" + PROPERTY + "=" + library,
                "-cp",
                System.getProperty("java.class.path"),
                main.getName()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("LD_PRELOAD", library.toString());
    builder.environment().put("QNEXT_MLX", mlx.toString());
    return output(builder);
  }

  private static Path folder() {
    try {
      return MlxLibrary.load().file().getParent();
    } catch (MlxException e) {
      throw missing(e.getMessage());
    }
  }

  private static synchronized Path library(Path mlx) throws Exception {
    String system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
    if (!system.equals("Linux amd64")) {
      throw missing("the dry GPU is for Linux on x86-64, this is " + system);
    }
    Path headers = mlx.resolve("include");
    if (!Files.isDirectory(headers.resolve("mlx"))) {
      throw missing("there are no headers of MLX in " + headers);
    }
    Path sources = Golden.repository().resolve("scripts/host");
    Path library =
        Golden.repository().resolve("backend-mlx/target/dry-gpu/dry-gpu.so").toAbsolutePath();
    Path madeFor = library.resolveSibling("made-for");
    StringBuilder text = new StringBuilder(mlx + "\n");
    for (String file : List.of("dry-gpu.cpp", "metal-rules.h", "mlx-symbols.h")) {
      text.append(Files.readString(sources.resolve(file)));
    }
    String wanted = text.toString();
    if (Files.exists(library)
        && Files.exists(madeFor)
        && Files.readString(madeFor).equals(wanted)) {
      return library;
    }
    Files.createDirectories(library.getParent());
    ProcessBuilder compiler =
        new ProcessBuilder(
            "sh",
            sources.resolve("compile-dry-gpu").toString(),
            headers.toString(),
            mlx.toString(),
            library.toString());
    try {
      output(compiler);
    } catch (IOException e) {
      throw missing("the dry GPU cannot be compiled: " + e.getMessage());
    }
    Files.writeString(madeFor, wanted);
    return library;
  }

  private static String output(ProcessBuilder builder) throws IOException, InterruptedException {
    Path errors = Files.createTempFile("dry-gpu", ".txt");
    try {
      Process process = builder.redirectError(errors.toFile()).start();
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new IOException(
            "%s ended with %d: %s"
                .formatted(builder.command(), process.exitValue(), Files.readString(errors)));
      }
      return out;
    } finally {
      Files.delete(errors);
    }
  }

  private static RuntimeException missing(String why) {
    assumeTrue("1".equals(System.getenv("QNEXT_REQUIRE_MLX")), why);
    return new IllegalStateException(why);
  }

  // ---------------------------------------------------------------------- in the main class's JVM

  /** Kernels of a primitive, and how often it was evaluated. */
  record Count(long primitives, long launches) {}

  /**
   * Does the work and tells the primitives that were evaluated meanwhile: class, or class and name.
   */
  static Map<String, Count> count(Runnable work) throws Throwable {
    Linker linker = Linker.nativeLinker();
    SymbolLookup library = SymbolLookup.libraryLookup(System.getProperty(PROPERTY), Arena.global());
    MethodHandle reset =
        linker.downcallHandle(library.findOrThrow("dry_gpu_reset"), FunctionDescriptor.ofVoid());
    MethodHandle report =
        linker.downcallHandle(
            library.findOrThrow("dry_gpu_report"), FunctionDescriptor.of(ValueLayout.ADDRESS));
    reset.invokeExact();
    work.run();
    MemorySegment text = (MemorySegment) report.invokeExact();
    Map<String, Count> counts = new TreeMap<>();
    for (String line : text.reinterpret(Long.MAX_VALUE).getString(0).lines().toList()) {
      String[] fields = line.split("\t", -1);
      counts.put(fields[0], new Count(Long.parseLong(fields[1]), Long.parseLong(fields[2])));
    }
    return counts;
  }

  static String print(Map<String, Count> counts) {
    StringBuilder out = new StringBuilder();
    counts.forEach((name, count) ->
        out.append("%s\t%d\t%d%n".formatted(name, count.primitives, count.launches)));
    return out.toString();
  }

  static long launches(Map<String, Count> counts) {
    return counts.values().stream().mapToLong(Count::launches).sum();
  }
}
