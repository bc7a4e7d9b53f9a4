package dev.qnext.mlx.face;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every way in which MLX is not there or not the right one. A library is loaded once per process,
 * so each case has its own; the libraries are made with gcc.
 */
class MlxLibraryTest {
  private static final String INSTALL = "install it with scripts/install-mlx";
  private static final String AGAIN = "install it anew with scripts/install-mlx --force";
  private static final String NAME = System.mapLibraryName("mlxc");

  @TempDir Path folder;

  /** What a process says that was told of these folders; null leaves one out. */
  private String load(Path environment, Path property) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    if (property != null) {
      command.add("-Dqnext.mlx=" + property);
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), LoadMlx.class.getName()));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    Map<String, String> variables = builder.environment();
    variables.remove("QNEXT_MLX");
    if (environment != null) {
      variables.put("QNEXT_MLX", environment.toString());
    }
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).describedAs(out).isZero();
    List<String> lines = out.lines().toList();
    assertThat(lines).describedAs(out).hasSize(2);
    assertThat(lines.get(1)).describedAs("the second time").isEqualTo(lines.get(0));
    return lines.get(0);
  }

  /** Compiles a libmlxc of this source in the folder. */
  private Path library(String source, String... options) throws Exception {
    Path c = Files.writeString(folder.resolve("stub.c"), source);
    Path library = folder.resolve(NAME);
    List<String> command =
        new ArrayList<>(List.of("gcc", "-shared", "-fPIC", "-w", "-o", "" + library, "" + c));
    command.addAll(List.of(options));
    try {
      Process gcc = new ProcessBuilder(command).redirectErrorStream(true).start();
      String out = new String(gcc.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(gcc.waitFor()).describedAs(out).isZero();
    } catch (IOException e) {
      assumeTrue("1".equals(System.getenv("QNEXT_REQUIRE_MLX")), "no gcc: " + e.getMessage());
      throw e;
    }
    return library;
  }

  /** All functions of the bindings but some; the version is what it is told. */
  private static String source(String version, String... without) throws IOException {
    StringBuilder source = new StringBuilder("typedef struct { void* ctx; } handle;\n");
    try (var in = MlxLibrary.class.getResourceAsStream("/dev/qnext/mlx/jextract-includes.txt")) {
      String list = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      for (String line : list.lines().toList()) {
        String name = line.substring(line.indexOf(' ') + 1).strip();
        boolean special = name.equals("mlx_version") || name.equals("mlx_string_data");
        if (line.startsWith("--include-function ")
            && !special
            && !List.of(without).contains(name)) {
          source.append("int ").append(name).append("(void) { return 0; }\n");
        }
      }
    }
    return source
        .append("int mlx_version(handle* out) { out->ctx = \"")
        .append(version)
        .append("\"; return 0; }\n")
        .append("const char* mlx_string_data(handle h) { return h.ctx; }\n")
        .toString();
  }

  @Test
  void nobodyToldWhere() throws Exception {
    assertThat(load(null, null))
        .isEqualTo(
            "MLX was not found: neither QNEXT_MLX nor the property qnext.mlx names its folder; "
                + INSTALL);
  }

  @Test
  void noLibraryInTheFolder() throws Exception {
    assertThat(load(folder, null))
        .isEqualTo("MLX was not found: there is no %s in %s; %s".formatted(NAME, folder, INSTALL));
    Path nowhere = folder.resolve("nowhere");
    assertThat(load(null, nowhere))
        .isEqualTo("MLX was not found: there is no %s in %s; %s".formatted(NAME, nowhere, INSTALL));
  }

  @Test
  void theVariableGoesBeforeTheProperty() throws Exception {
    library(source(MlxLibrary.VERSION));
    Path empty = Files.createDirectory(folder.resolve("empty"));
    assertThat(load(empty, folder)).contains("there is no " + NAME + " in " + empty + ";");
    assertThat(load(Path.of(""), folder)).isEqualTo("loaded " + folder.resolve(NAME));
  }

  @Test
  void theRightVersion() throws Exception {
    Path library = library(source(MlxLibrary.VERSION));
    assertThat(load(folder, null)).isEqualTo("loaded " + library);
    assertThat(load(null, folder)).isEqualTo("loaded " + library);
  }

  @Test
  void anotherVersionOfMlx() throws Exception {
    Path library = library(source("0.31.2"));
    assertThat(load(folder, null))
        .isEqualTo(
            "%s belongs to MLX 0.31.2, but qnext needs %s; %s"
                .formatted(library, MlxLibrary.VERSION, AGAIN));
  }

  @Test
  void oneFunctionIsMissing() throws Exception {
    Path library = library(source(MlxLibrary.VERSION, "mlx_clear_streams"));
    assertThat(load(folder, null))
        .isEqualTo(library + " lacks mlx_clear_streams, so it is not of mlx-c 0.7.0; " + AGAIN);
  }

  /** As mlx-c 0.6.0, or any other library of this name. */
  @Test
  void manyFunctionsAreMissing() throws Exception {
    Path library = library("int mlx_array_new(void) { return 0; }");
    assertThat(load(folder, null))
        .startsWith(library + " lacks _mlx_array_is_available and 45")
        .endsWith(" more functions, so it is not of mlx-c 0.7.0; " + AGAIN);
  }

  @Test
  void noLibraryAtAll() throws Exception {
    Path file = Files.writeString(folder.resolve(NAME), "<html>404</html>");
    assertThat(load(folder, null)).startsWith(file + " cannot be loaded: ").endsWith("; " + AGAIN);
    Files.writeString(file, "");
    assertThat(load(folder, null)).startsWith(file + " cannot be loaded: ");
  }

  @Test
  void libmlxBesideItIsMissing() throws Exception {
    Path mlx = library("int mlx(void) { return 0; }");
    Path renamed = Files.move(mlx, folder.resolve("libmlx.so"));
    Path library =
        library(source(MlxLibrary.VERSION), "-L" + folder, "-lmlx", "-Wl,--no-as-needed,-lmlx");
    Files.delete(renamed);
    assertThat(load(folder, null))
        .startsWith(library + " cannot be loaded: ")
        .contains("libmlx.so")
        .endsWith("; " + AGAIN);
  }

  /** On macOS alone: without its kernels MLX fails later, and says then that there is no GPU. */
  @Test
  void theKernelsMustLieBesideLibmlx() throws IOException {
    assertThatCode(() -> MlxLibrary.requireKernels(folder, true))
        .describedAs("Homebrew's mlx-c has a folder of its own")
        .doesNotThrowAnyException();
    Files.createFile(folder.resolve("libmlx.dylib"));
    assertThatCode(() -> MlxLibrary.requireKernels(folder, false)).doesNotThrowAnyException();
    Path kernels = folder.resolve("mlx.metallib");
    assertThatThrownBy(() -> MlxLibrary.requireKernels(folder, true))
        .isInstanceOf(MlxException.class)
        .hasMessage(kernels + ", which holds MLX's kernels, is missing; " + AGAIN);
    Files.createFile(kernels);
    assertThatThrownBy(() -> MlxLibrary.requireKernels(folder, true))
        .hasMessage(kernels + ", which holds MLX's kernels, is empty; " + AGAIN);
    Files.writeString(kernels, "MTLB");
    assertThatCode(() -> MlxLibrary.requireKernels(folder, true)).doesNotThrowAnyException();
  }
}
