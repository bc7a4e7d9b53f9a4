package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Pass;
import dev.qnext.backend.Sampling;
import dev.qnext.fixtures.Golden;
import dev.qnext.mlx.face.MlxDevice;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * Every primitive in the graphs of a pass has a Metal implementation, so that nothing fails first
 * on a user's GPU. The graphs are those that MLX builds for a GPU; the list was made from MLX's
 * sources.
 */
class MetalPrimitivesTest {
  private static final List<String> MODELS =
      List.of(
          "tiny/hf",
          "tiny/mlx-qx53n",
          "odd/mlx-mxfp4",
          "yarn/mlx-3bit",
          "random/mixed",
          "random/mlx-mxfp8",
          "random/mlx-nvfp4",
          "random/sparse");

  /** Passes of one model, each with what it is called. */
  private static final Set<String> PASSES =
      Set.of(
          "prefill of 7", "prefill of 200", "decode", "draw from all", "draw filtered", "verify 4");

  @Test
  void allHaveOne() throws Exception {
    Map<String, String> hasMetal = hasMetal();
    assertThat(hasMetal).hasSizeGreaterThan(100).containsEntry("Inverse", "no");
    for (Map.Entry<String, Set<String>> pass : passes().entrySet()) {
      for (String primitive : pass.getValue()) {
        assertThat(hasMetal.get(primitive))
            .as("%s in %s has a Metal implementation", primitive, pass.getKey())
            .isEqualTo("yes");
      }
    }
  }

  /** By model and pass, the primitives that were evaluated on the dry GPU. */
  private static Map<String, Set<String>> passes() throws Exception {
    Path[] folders = new Path[MODELS.size() + 1];
    folders[0] = Golden.repository().resolve("models/demo");
    for (int i = 1; i < folders.length; i++) {
      folders[i] = Golden.path(MODELS.get(i - 1));
    }
    String[] arguments = List.of(folders).stream().map(Path::toString).toArray(String[]::new);
    Map<String, Set<String>> passes = new LinkedHashMap<>();
    for (String line : DryGpu.run(Passes.class, arguments).lines().toList()) {
      String[] fields = line.split("\t", -1);
      passes
          .computeIfAbsent(fields[0] + ": " + fields[1], k -> new TreeSet<>())
          .add(fields[2].split(" ", 2)[0]);
    }
    assertThat(passes).hasSize(folders.length * PASSES.size());
    for (Set<String> primitives : passes.values()) {
      assertThat(primitives).contains("fast::RMSNorm", "GatherAxis");
    }
    return passes;
  }

  private static Map<String, String> hasMetal() throws IOException {
    Map<String, String> hasMetal = new HashMap<>();
    try (InputStream in = MetalPrimitivesTest.class.getResourceAsStream("metal-primitives.csv")) {
      String text = new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
      for (String line : text.lines().toList()) {
        String[] fields = line.split(",", 3);
        if (fields.length == 3) {
          hasMetal.put(fields[0], fields[1]);
        }
      }
    }
    return hasMetal;
  }

  /** Runs the passes of each model and prints what was evaluated. */
  static final class Passes {
    private Passes() {}

    public static void main(String[] folders) throws Throwable {
      for (String folder : folders) {
        try (MlxStep step = new MlxStep(Path.of(folder), MlxDevice.GPU, 0)) {
          print(folder, "prefill of 7", () -> step.pass(Pass.PREFILL, 7));
          print(folder, "prefill of 200", () -> step.pass(Pass.PREFILL, 200));
          print(folder, "decode", () -> decode(step, Sampling.GREEDY));
          print(folder, "draw from all", () -> decode(step, new Sampling(0.8f, 0, 1, 0, 1)));
          print(
              folder, "draw filtered", () -> decode(step, new Sampling(0.8f, 20, 0.9f, 0.05f, 1)));
          print(folder, "verify 4", () -> step.pass(Pass.VERIFY, 4));
        }
      }
    }

    private static void decode(MlxStep step, Sampling sampling) {
      step.decode(sampling);
      step.start();
    }

    private static void print(String folder, String pass, Runnable work) throws Throwable {
      for (String primitive : DryGpu.count(work).keySet()) {
        System.out.println(folder + "\t" + pass + "\t" + primitive);
      }
    }
  }
}
