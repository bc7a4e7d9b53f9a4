package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Pass;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.TinyModel;
import dev.qnext.mlx.face.MlxDevice;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The attention kernels of Qwen3-Next-80B's shape, heads of 256 in groups of 8, on Metal. */
class DryGpuAttentionTest {
  /** One layer of attention. */
  private static final ModelShape SHAPE =
      new ModelShape(
          48, 32, 2, 2, 8, 1, 256, 0.25, 1, 2, 16, 16, 4, 4, 2, true, 32, 32, 32, List.of(), false,
          false);

  /** A prompt may end in a pass for whose number of queries there is no fused kernel. */
  @Test
  void aLongContextIsReadWithoutAScoreMatrixWhateverWasReadBefore(@TempDir Path folder)
      throws Exception {
    Path model = new TinyModel(SHAPE, 1).published("BF16").write(folder);
    assertThat(DryGpu.run(Kernels.class, model.toString()).lines())
        .containsExactly("PREFILL 512: 1", "PREFILL 6: 0", "VERIFY 5: 0", "PREFILL 512: 1");
  }

  /** Prints how many fused attentions passes have. */
  static final class Kernels {
    private Kernels() {}

    public static void main(String[] arguments) throws Throwable {
      try (MlxStep step = new MlxStep(Path.of(arguments[0]), MlxDevice.GPU, 9000)) {
        print(step, Pass.PREFILL, 512);
        print(step, Pass.PREFILL, 6);
        print(step, Pass.VERIFY, 5);
        print(step, Pass.PREFILL, 512);
      }
    }

    private static void print(MlxStep step, Pass pass, int tokens) throws Throwable {
      DryGpu.Count count =
          DryGpu.count(() -> step.pass(pass, tokens)).get("fast::ScaledDotProductAttention");
      System.out.printf("%s %d: %d%n", pass, tokens, count == null ? 0 : count.primitives());
    }
  }
}
