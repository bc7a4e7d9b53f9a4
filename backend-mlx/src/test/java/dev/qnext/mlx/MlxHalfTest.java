package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.State;
import dev.qnext.fixtures.Golden;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.mlx.face.MlxType;
import dev.qnext.suites.ModelRun;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The graphs of a GPU, whose activations are halves, computed on MLX's CPU device. Its halves are
 * inexact, so the logits only have to look like those in f32; what is wrong does not. Plain experts
 * are left out: that device has no product with them in halves.
 */
@NeedsMlx
class MlxHalfTest {
  private static ModelRun open(Path folder, MlxType type) {
    MlxLibrary.load();
    Mlx mlx = new Mlx(MlxDevice.CPU);
    return new ModelRun(new MlxBackend(mlx, new MlxLimits(MlxDevice.CPU), type), folder);
  }

  @ParameterizedTest
  @CsvSource({
    "BFLOAT16, tiny/mlx-4bit",
    "BFLOAT16, odd/mlx-mxfp4",
    "BFLOAT16, random/mlx-nvfp4",
    "BFLOAT16, yarn/mlx-3bit",
    "BFLOAT16, demo",
    "FLOAT16, odd/mlx-mxfp4",
    "FLOAT16, tiny/mlx-4bit",
    "FLOAT16, tiny/mlx-qx53n",
    "FLOAT16, yarn/mlx-3bit",
    "FLOAT16, random/mlx-mxfp8",
    "FLOAT16, demo"
  })
  void logitsAreLikeThoseInSingle(MlxType type, String name) throws IOException {
    Path folder =
        name.equals("demo") ? Golden.repository().resolve("models/demo") : Golden.path(name);
    try (ModelRun single = open(folder, MlxType.FLOAT32);
        ModelRun half = open(folder, type)) {
      float[][] expected = passes(single);
      float[][] actual = passes(half);
      int width = single.model.vocabularySize();
      List<Double> rows = new ArrayList<>();
      for (int i = 0; i < expected.length; i++) {
        for (int from = 0; from < expected[i].length; from += width) {
          rows.add(
              correlation(
                  Arrays.copyOfRange(actual[i], from, from + width),
                  Arrays.copyOfRange(expected[i], from, from + width)));
        }
      }
      // Not the worst: rounding makes routers of random models choose other experts in some rows.
      Collections.sort(rows);
      assertThat(rows.get(rows.size() / 2))
          .describedAs("median of the rows' correlations")
          .isGreaterThan(type == MlxType.FLOAT16 ? 0.999 : 0.98);
    }
  }

  /** Logits of all rows of each pass that there is. */
  private static float[][] passes(ModelRun run) throws IOException {
    try (State state = run.newState();
        State restored = run.newState()) {
      float[] prefill = run.prefill(state, run.tokens(1, 75));
      float[] second = run.prefill(state, run.tokens(2, 5));
      float[] verify = run.verify(state, 2, run.tokens(3, 4));
      float[] decode = run.verify(state, 1, run.tokens(4, 1));
      restored.restore(new ByteArrayInputStream(ModelRun.saved(state)));
      float[] behind = run.verify(restored, 1, run.tokens(5, 1));
      float[] same = run.verify(state, 1, run.tokens(5, 1));
      assertThat(correlation(behind, same)).isGreaterThan(0.99999);
      return new float[][] {prefill, second, verify, decode, behind};
    }
  }

  private static double correlation(float[] a, float[] b) {
    double meanA = mean(a);
    double meanB = mean(b);
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += (a[i] - meanA) * (b[i] - meanB);
      aa += (a[i] - meanA) * (a[i] - meanA);
      bb += (b[i] - meanB) * (b[i] - meanB);
    }
    return ab / Math.sqrt(aa * bb);
  }

  private static double mean(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum / values.length;
  }
}
