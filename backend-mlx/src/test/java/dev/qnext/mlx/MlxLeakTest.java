package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.Packing;
import dev.qnext.fixtures.TinyModel;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxMemory;
import dev.qnext.suites.ModelRun;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToLongFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Memory over ten thousand decode steps: rounds of all that a conversation does, after each of
 * which the same arrays must be alive.
 */
@NeedsMlx
class MlxLeakTest {
  private static final int ROUNDS = 20;
  private static final int STEPS = 500;

  /** Until here traces are made and Java's compiler fills its own memory. */
  private static final int WARM = 6;

  /** Bytes per round: 64 per step. */
  private static final long LIMIT = 64 * STEPS;

  private static final Sampling SAMPLING = new Sampling(0.8f, 20, 0.9f, 0, 1);

  @TempDir Path folder;

  /** Arrays, MLX's memory, all that malloc gave out, Java's heap. */
  private record Use(long arrays, long active, long offHeap, long heap) {
    static Use now() {
      for (int i = 0; i < 3; i++) {
        System.gc();
      }
      MlxMemory.clearCache();
      Runtime java = Runtime.getRuntime();
      return new Use(
          Mlx.liveArrays(),
          MlxMemory.active(),
          NativeHeap.bytes().orElse(0),
          java.totalMemory() - java.freeMemory());
    }
  }

  @Test
  void tenThousandStepsLeaveNothingBehind() throws IOException {
    long before = Mlx.liveArrays();
    TinyModel model = new TinyModel(ModelShape.quantizable(), 1);
    Path checkpoint = model.converted(path -> Packing.affine(4, 64)).write(folder);
    List<Use> uses = new ArrayList<>();
    try (ModelRun run = new ModelRun(new MlxProvider().open(), checkpoint);
        State state = run.newState()) {
      for (int round = 0; round < ROUNDS; round++) {
        converse(run, state, round);
        uses.add(Use.now());
      }
    }
    for (Use use : uses) {
      System.out.printf(
          Locale.ROOT,
          "after another %d steps: %d arrays, %.1f kB of MLX, %.1f kB malloc, %.1f kB heap%n",
          STEPS,
          use.arrays,
          use.active / 1e3,
          use.offHeap / 1e3,
          use.heap / 1e3);
    }
    Use warm = uses.get(WARM - 1);
    for (Use use : uses.subList(WARM, ROUNDS)) {
      assertThat(use.arrays).describedAs("live arrays").isEqualTo(warm.arrays);
      assertThat(use.active).describedAs("MLX's memory").isEqualTo(warm.active);
    }
    List<Use> warmed = uses.subList(WARM, ROUNDS);
    assertThat(growth(warmed, Use::offHeap))
        .describedAs("growth per round of what malloc gave out")
        .isLessThan(LIMIT);
    assertThat(growth(warmed, Use::heap))
        .describedAs("growth per round of the heap")
        .isLessThan(LIMIT);
    assertThat(Mlx.liveArrays()).describedAs("after all is closed").isEqualTo(before);
  }

  /** The median, for the JVM's own memory comes and goes by megabytes in few of the rounds. */
  private static long growth(List<Use> uses, ToLongFunction<Use> what) {
    long[] steps = new long[uses.size() - 1];
    for (int i = 0; i < steps.length; i++) {
      steps[i] = what.applyAsLong(uses.get(i + 1)) - what.applyAsLong(uses.get(i));
    }
    Arrays.sort(steps);
    return steps[steps.length / 2];
  }

  /**
   * A prompt, tokens that are drawn on the device and read a step later, drafts, a fork, a file.
   */
  private static void converse(ModelRun run, State state, int seed) throws IOException {
    state.rewind(0);
    run.prefill(state, run.tokens(seed, 20));
    Tensor token;
    try (Scope scope = run.backend.scope()) {
      token = scope.keep(run.backend.tokens(run.tokens(seed, 1)));
    }
    for (int step = 0; step < STEPS; step++) {
      if (step % 50 == 7) {
        run.verify(state, step % 5, run.tokens(step, 4));
        continue;
      }
      Tensor next;
      try (Scope scope = run.backend.scope()) {
        state.begin(Pass.VERIFY, 1);
        Tensor hidden = run.model.forward(token, state);
        state.accept(1);
        Tensor logits = run.model.logits(hidden, Rows.all(hidden));
        Sampling sampling = step % 2 == 0 ? SAMPLING : Sampling.GREEDY;
        next = scope.keep(run.backend.sample(logits, sampling, state.length()));
        run.backend.start(next);
      }
      run.backend.readTokens(token);
      token.close();
      token = next;
    }
    run.backend.readTokens(token);
    token.close();
    try (State fork = state.fork()) {
      run.verify(fork, 2, run.tokens(seed, 3));
      fork.restore(new ByteArrayInputStream(ModelRun.saved(state)));
      run.prefill(fork, run.tokens(seed, 70));
    }
  }
}
