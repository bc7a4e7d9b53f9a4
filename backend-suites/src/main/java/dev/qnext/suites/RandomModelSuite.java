package dev.qnext.suites;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Sampling;
import dev.qnext.backend.State;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.fixtures.Comparison;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.Packing;
import dev.qnext.fixtures.TinyModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whole models of random shapes against {@code reference}: logits of prompts of several lengths,
 * and greedy tokens. Random weights magnify rounding more than trained ones do.
 */
public abstract class RandomModelSuite extends BackendSuite {
  private static final int[] LENGTHS = {1, 2, 7, 64, 65};

  static IntStream shapes() {
    return IntStream.range(0, 24);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void plain(int index) {
    compare(
        "" + index,
        new TinyModel(ModelShape.random(index), index).published("BF16").write(temporary));
  }

  static Stream<Packing> packings() {
    return Packing.all().stream()
        .filter(p -> p.scaleType().equals("BF16") || p.scaleType().equals("U8"));
  }

  @ParameterizedTest
  @MethodSource("packings")
  void quantized(Packing packing) {
    needsExactProducts();
    TinyModel model = new TinyModel(ModelShape.quantizable(), packing.bits());
    compare(packing.toString(), model.converted(path -> packing).write(temporary));
  }

  /** Across the lengths at which caches grow, and with rejected drafts there. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 8, 12})
  void longContexts(int index) {
    TinyModel model = new TinyModel(ModelShape.random(index), index);
    Path folder = model.published("BF16").write(temporary);
    try (ModelRun expected = new ModelRun(new ReferenceBackend(), folder);
        ModelRun run = new ModelRun(backend(), folder);
        State expectedState = expected.newState();
        State state = run.newState()) {
      String what = "%d, from %d".formatted(index, 0);
      for (int count : new int[] {250, 1, 2, 1, 16, 3, 1, 230, 16, 16, 300, 1, 16}) {
        int[] ids = run.tokens(count, count);
        int kept = Math.max(1, count / 3);
        boolean verify = count <= State.MAX_VERIFY;
        Comparison.assertClose(
            what,
            verify ? run.verify(state, kept, ids) : run.prefill(state, ids),
            verify
                ? expected.verify(expectedState, kept, ids)
                : expected.prefill(expectedState, ids),
            largestError());
        what = "%d, from %d".formatted(index, state.length());
      }
      assertThat(state.length()).isEqualTo(expectedState.length()).isGreaterThan(780);
    }
  }

  private void compare(String what, Path folder) {
    try (ModelRun expected = new ModelRun(new ReferenceBackend(), folder);
        ModelRun run = new ModelRun(backend(), folder)) {
      for (int length : LENGTHS) {
        int[] prompt = run.tokens(length, length);
        Comparison.assertClose(
            what + ", T=" + length, run.logits(prompt), expected.logits(prompt), largestError());
      }
      int[] prompt = run.tokens(1, 11);
      assertThat(greedy(run, prompt)).isEqualTo(greedy(expected, prompt));
    }
  }

  private static List<Integer> greedy(ModelRun run, int[] prompt) {
    Integer[] tokens = new Integer[24];
    try (State state = run.newState()) {
      float[] logits = run.last(run.prefill(state, prompt));
      for (int i = 0; i < tokens.length; i++) {
        tokens[i] = Sampling.argmax(logits);
        logits = run.verify(state, 1, tokens[i]);
      }
    }
    return Arrays.asList(tokens);
  }
}
