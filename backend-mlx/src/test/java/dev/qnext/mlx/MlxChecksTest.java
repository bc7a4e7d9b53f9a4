package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Check;
import dev.qnext.backend.Check.Status;
import dev.qnext.machine.Command;
import dev.qnext.machine.Command.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What doctor tells of MLX on machines that are not here: a Mac by what its programs are known to
 * answer.
 */
class MlxChecksTest {
  @TempDir Path folder;

  /** codesign is silent about what is good; xattr finds nothing. */
  private static final Command HEALTHY =
      words ->
          switch (words[0]) {
            case "codesign" -> new Answer(0, "");
            case "xattr" -> new Answer(1, "xattr: x: No such xattr: com.apple.quarantine\n");
            case "sysctl" ->
                new Answer(0, "iogpu.wired_limit_mb: 0\niogpu.disable_wired_collector: 0\n");
            default -> Answer.NONE;
          };

  private static MlxChecks mac(Command command) {
    return new MlxChecks(command, true, false);
  }

  private void install(String... files) throws IOException {
    for (String file : files) {
      Files.writeString(folder.resolve(file), "x".repeat(3_000_000));
    }
  }

  @Test
  void whatIsMissingIsAFailureOnAMacOnly() {
    List<Path> looked = List.of(Path.of("/cache/mlx-0.32.2"), Path.of("/opt/lib"));
    assertThat(mac(HEALTHY).missing(looked))
        .isEqualTo(
            Check.fail(
                "library",
                "not installed: looked in /cache/mlx-0.32.2, /opt/lib",
                "scripts/install-mlx"));
    assertThat(new MlxChecks(HEALTHY, false, false).missing(Set.of()))
        .isEqualTo(new Check("library", Status.INFO, "not installed", "scripts/install-mlx"));
    assertThat(new MlxChecks(HEALTHY, false, true).missing(Set.of()).fix())
        .isEqualTo("scripts/install-mlx --cuda");
  }

  @Test
  void healthyFiles() throws IOException {
    install("libmlxc.dylib", "libmlx.dylib", "libjaccl.dylib", "mlx.metallib", "VERSIONS");
    assertThat(mac(HEALTHY).files(folder))
        .containsExactly(
            Check.info("library", folder.toString()),
            Check.pass("kernels", "mlx.metallib, 3 MB"),
            Check.pass("signatures", "3 libraries"),
            Check.pass("quarantine", "not set"));
    assertThat(new MlxChecks(HEALTHY, false, false).files(folder))
        .containsExactly(Check.info("library", folder.toString()));
  }

  @Test
  void filesThatMacosWillNotLoad() throws IOException {
    install("libmlxc.dylib", "libmlx.dylib");
    Path broken = folder.resolve("libmlx.dylib");
    Command command =
        words ->
            switch (words[0]) {
              case "codesign" ->
                  words[2].equals(broken.toString())
                      ? new Answer(1, broken + ": code object is not signed at all\n")
                      : new Answer(0, "");
              default -> new Answer(0, "0081;66f1a2b3;Safari;\n");
            };
    assertThat(mac(command).files(folder))
        .containsExactly(
            Check.info("library", folder.toString()),
            Check.fail(
                "kernels",
                "there is no " + folder.resolve("mlx.metallib"),
                "scripts/install-mlx --force"),
            Check.fail(
                "signatures", "macOS kills what loads " + broken, "codesign -f -s - " + broken),
            Check.fail(
                "quarantine",
                "set, as on files from a browser: macOS will not load them",
                "xattr -dr com.apple.quarantine " + folder));
  }

  @Test
  void devices() {
    var m3 =
        new MlxChecks.Device(
            true, "Apple M3 Max", "applegpu_g15s", 51_539_607_552L, 40_200_000_000L);
    assertThat(mac(HEALTHY).device(m3))
        .startsWith(
            Check.pass("device", "GPU Apple M3 Max applegpu_g15s"),
            Check.info("memory", "MLX may use 40.2 GB of 51.5 GB"),
            Check.info("wired limit", "the system's own"))
        .extracting(Check::name)
        .containsExactly("device", "memory", "wired limit", "buffers");
    Command raised =
        words -> new Answer(0, "iogpu.wired_limit_mb: 43008\niogpu.disable_wired_collector: 1\n");
    assertThat(mac(raised).device(m3))
        .contains(
            Check.info(
                "wired limit",
                "43008 MB (iogpu.wired_limit_mb, until the next start), kept wired when idle"));
    var none = new MlxChecks.Device(false, "", "", 0, 0);
    assertThat(mac(HEALTHY).device(none))
        .singleElement()
        .satisfies(check -> assertThat(check.status()).isEqualTo(Status.FAIL));
    assertThat(new MlxChecks(HEALTHY, false, false).device(none))
        .containsExactly(Check.info("device", "CPU"));
    assertThat(new MlxChecks(HEALTHY, false, true).device(none).getFirst().fix())
        .isEqualTo("scripts/install-mlx --cuda --force");
  }

  @Test
  void generations() {
    assertThat(MlxChecks.generation("applegpu_g13g")).isEqualTo(13);
    assertThat(MlxChecks.generation("applegpu_g17s")).isEqualTo(17);
    assertThat(MlxChecks.generation("sm_90")).isZero();
    assertThat(MlxChecks.generation("")).isZero();
  }

  @Test
  void matrixUnits() throws IOException {
    Path kernels = folder.resolve("mlx.metallib");
    Files.writeString(kernels, "MTLB " + "s".repeat(100_000) + "steel_gemm_fused_nax_nt");
    assertThat(MlxChecks.matrixUnits(kernels).status()).isEqualTo(Status.PASS);
    Files.writeString(kernels, "MTLB steel_gemm_fused_na steel_gemm_fused_nt steel_gemm_fused_na");
    assertThat(MlxChecks.matrixUnits(kernels).status()).isEqualTo(Status.WARN);
    assertThat(MlxChecks.matrixUnits(folder.resolve("none")).status()).isEqualTo(Status.FAIL);
  }
}
