package dev.qnext.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.ReferenceProvider;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import dev.qnext.suites.ModelRun;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What activations of 8 bits cost, against the reference's f32. */
class CpuLossTest {
  private static final int TOKENS = 300;

  /** On what the model was made for: the prompts and greedy answers of the golden data. */
  @Test
  void bundledModelLosesLessThanAThousandthOfANat() {
    Map<?, ?> expected =
        (Map<?, ?>) Objects.requireNonNull(Json.read(Golden.path("demo/expected.json"), "text"));
    int[] ids =
        ((List<?>) Objects.requireNonNull(expected.get("prompts")))
            .stream()
                .map(prompt -> (Map<?, ?>) prompt)
                .flatMap(prompt ->
                    Stream.of(prompt.get("ids"), prompt.get("greedy"))
                        .flatMap(part -> ((List<?>) Objects.requireNonNull(part)).stream()))
                .mapToInt(id -> ((Long) id).intValue())
                .toArray();
    assertThat(meanLoss("models/demo", Golden.repository().resolve("models/demo"), ids))
        .isLessThan(1e-3);
  }

  /**
   * Random networks magnify what is rounded: figures to look at, with a bound for what is broken.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "tiny/hf",
        "tiny/mlx-4bit",
        "tiny/mlx-qx53n",
        "odd/hf",
        "odd/mlx-mxfp4",
        "yarn/hf",
        "yarn/mlx-bf16",
        "yarn/mlx-3bit",
        "yarn/mlx-qx86n-hi",
        "random/mlx-nvfp4",
        "random/mlx-mxfp8",
        "random/mlx-8bit-g128"
      })
  void goldenCheckpoints(String name) {
    assertThat(meanLoss(name, Golden.path(name), null)).isLessThan(0.05);
  }

  /** Mean over positions of KL(reference || cpu), in nats. */
  private static double meanLoss(String name, Path folder, int @Nullable [] text) {
    float[] expected;
    float[] actual;
    int width;
    int[] ids;
    try (ModelRun run = new ModelRun(new ReferenceProvider().open(), folder)) {
      width = run.model.vocabularySize();
      ids = text != null ? text : new SplittableRandom(17).ints(TOKENS, 0, width).toArray();
      expected = run.logits(ids);
    }
    Backend cpu = new CpuProvider().open();
    try (ModelRun run = new ModelRun(cpu, folder)) {
      actual = run.logits(ids);
    }
    double sum = 0;
    double worst = 0;
    int agreed = 0;
    for (int t = 0; t < ids.length; t++) {
      double loss = divergence(expected, actual, t * width, width);
      sum += loss;
      worst = Math.max(worst, loss);
      agreed += argmax(expected, t * width, width) == argmax(actual, t * width, width) ? 1 : 0;
    }
    System.out.printf(
        Locale.ROOT,
        "int8 activations, %s: mean KL %.2e nats, worst %.2e, argmax equal at %.1f %% of %d%n",
        name,
        sum / ids.length,
        worst,
        100.0 * agreed / ids.length,
        ids.length);
    return sum / ids.length;
  }

  private static double divergence(float[] p, float[] q, int from, int width) {
    double pTotal = logSum(p, from, width);
    double qTotal = logSum(q, from, width);
    double sum = 0;
    for (int i = from; i < from + width; i++) {
      double logP = p[i] - pTotal;
      sum += Math.exp(logP) * (logP - (q[i] - qTotal));
    }
    return sum;
  }

  private static double logSum(float[] x, int from, int width) {
    double max = x[argmax(x, from, width)];
    double sum = 0;
    for (int i = from; i < from + width; i++) {
      sum += Math.exp(x[i] - max);
    }
    return max + Math.log(sum);
  }

  private static int argmax(float[] x, int from, int width) {
    int best = from;
    for (int i = from; i < from + width; i++) {
      best = x[i] > x[best] ? i : best;
    }
    return best;
  }
}
