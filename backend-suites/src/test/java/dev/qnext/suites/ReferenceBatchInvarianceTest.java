package dev.qnext.suites;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.fixtures.Comparison;
import dev.qnext.fixtures.Golden;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ReferenceBatchInvarianceTest extends BatchInvarianceSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }

  @Test
  void threadsDoNotShow() {
    int[] tokens = IntStream.range(0, 150).map(i -> i * 37 % 500).toArray();
    try (ModelRun run = new ModelRun(backend(), Golden.path("tiny/hf"))) {
      float[] expected = logits(run, 1, tokens);
      assertThat(expected).hasSize(150 * 512);
      for (int threads : new int[] {2, 3, 7}) {
        Comparison.assertIdentical(threads + " threads", logits(run, threads, tokens), expected);
      }
    }
  }

  /** {@link Parallel} shares its loops within the pool that it is called in. */
  private static float[] logits(ModelRun run, int threads, int[] tokens) {
    try (ForkJoinPool pool = new ForkJoinPool(threads)) {
      return pool.submit(() -> run.logits(tokens)).join();
    }
  }
}
