package dev.qnext.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.fixtures.Comparison;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.TinyModel;
import dev.qnext.model.Mtp;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a backend's state promises: saving and restoring, rewinding, and refusing wrong use. */
public abstract class StateSuite extends BackendSuite {
  private ModelRun open(CheckpointSource source) {
    return new ModelRun(backend(), source.folder(temporary));
  }

  protected final ModelRun tiny() {
    TinyModel model = new TinyModel(ModelShape.tiny(), 1);
    return new ModelRun(backend(), model.published("BF16").write(temporary));
  }

  static Stream<CheckpointSource> sources() {
    return CheckpointSource.all();
  }

  private static void restore(State state, byte[] saved) throws IOException {
    state.restore(new ByteArrayInputStream(saved));
  }

  @ParameterizedTest
  @MethodSource("sources")
  void restoredStatesGoOnAsIfNeverLeft(CheckpointSource source) throws IOException {
    try (ModelRun run = open(source);
        State state = run.newState();
        State fresh = run.newState();
        State used = run.newState()) {
      run.prefill(state, run.tokens(1, 35));
      byte[] saved = ModelRun.saved(state);
      assertThat(ModelRun.saved(state)).describedAs("saving changes nothing").isEqualTo(saved);
      restore(fresh, saved);
      run.prefill(used, run.tokens(2, 50));
      restore(used, saved);
      float[] expected = run.verify(state, 5, run.tokens(3, 5));
      for (State restored : new State[] {fresh, used}) {
        assertThat(restored.length()).isEqualTo(35);
        assertThat(ModelRun.saved(restored)).isEqualTo(saved);
        float[] logits = run.verify(restored, 5, run.tokens(3, 5));
        Comparison.assertIdentical("restored", logits, expected);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void forkedStatesGoOnAsTheirOriginal(CheckpointSource source) {
    try (ModelRun run = open(source);
        State state = run.newState()) {
      run.prefill(state, run.tokens(1, 30));
      try (State fork = state.fork()) {
        for (int kept : new int[] {5, 0, 2, 1}) {
          int[] tokens = run.tokens(kept, 5);
          float[] expected = run.verify(state, kept, tokens);
          Comparison.assertIdentical("fork", run.verify(fork, kept, tokens), expected);
          assertThat(ModelRun.saved(fork)).isEqualTo(ModelRun.saved(state));
        }
      }
    }
  }

  @Test
  void longStatesToo() throws IOException {
    try (ModelRun run = tiny();
        State state = run.newState();
        State fresh = run.newState()) {
      run.prefill(state, run.tokens(1, 900));
      restore(fresh, ModelRun.saved(state));
      int[] next = run.tokens(2, 20);
      Comparison.assertIdentical("restored", run.prefill(fresh, next), run.prefill(state, next));
    }
  }

  @Test
  void emptyStatesAreSavedToo() throws IOException {
    try (ModelRun run = tiny();
        State empty = run.newState();
        State used = run.newState()) {
      run.prefill(used, run.tokens(1, 5));
      restore(used, ModelRun.saved(empty));
      assertThat(used.length()).isZero();
      Comparison.assertIdentical(
          "emptied", run.prefill(used, run.tokens(2, 5)), run.logits(run.tokens(2, 5)));
    }
  }

  /** Cut, damaged, foreign: an IOException, and an empty state that works. */
  @Test
  void whatCannotBeRestoredLeavesAnEmptyState() throws IOException {
    try (ModelRun run = tiny();
        State state = run.newState()) {
      run.prefill(state, run.tokens(1, 35));
      byte[] saved = ModelRun.saved(state);
      float[] expected = run.logits(run.tokens(2, 4));
      SplittableRandom random = new SplittableRandom(1);
      for (int i = 0; i < 120; i++) {
        byte[] broken = saved.clone();
        String what;
        if (i < 40) {
          int cut = i < 20 ? i : i == 20 ? saved.length - 1 : random.nextInt(saved.length);
          broken = Arrays.copyOf(saved, cut);
          what = "cut at " + cut;
        } else {
          int at = i < 80 ? i - 40 : random.nextInt(saved.length);
          broken[at] ^= (byte) (1 << random.nextInt(8));
          what = "damaged at " + at;
        }
        refused(run, broken, what, expected);
      }
    }
  }

  /** One of these bytes is the length's highest: two thousand million tokens. */
  @Test
  void aDamagedLengthTakesNoMemory() {
    try (ModelRun run = tiny();
        State state = run.newState();
        State large = run.backend.newState(run.model.stateShape(), Integer.MAX_VALUE)) {
      run.prefill(state, run.tokens(1, 5));
      byte[] saved = ModelRun.saved(state);
      for (int at = 0; at < 400; at++) {
        byte[] damaged = saved.clone();
        damaged[at] = (byte) (damaged[at] == 0x7F ? 0x7E : 0x7F);
        assertThatThrownBy(() -> large.restore(new ByteArrayInputStream(damaged)))
            .describedAs("byte %d", at)
            .isInstanceOf(IOException.class);
      }
      assertThat(large.bytes()).isLessThan(1 << 20);
    }
  }

  private static void refused(ModelRun run, byte[] broken, String what, float[] expected) {
    try (State used = run.newState()) {
      run.prefill(used, run.tokens(5, 11));
      assertThatThrownBy(() -> restore(used, broken))
          .describedAs(what)
          .isInstanceOf(IOException.class);
      assertThat(used.length()).describedAs(what).isZero();
      Comparison.assertIdentical(what, run.prefill(used, run.tokens(2, 4)), expected);
    }
  }

  @Test
  void statesOfOtherShapesAndTooLongOnesAreRefused() throws IOException {
    byte[] foreign;
    try (ModelRun other = open(new CheckpointSource("", false, 0));
        State state = other.newState()) {
      other.prefill(state, other.tokens(1, 35));
      foreign = ModelRun.saved(state);
    }
    try (ModelRun run = tiny();
        State state = run.newState();
        State small = run.backend.newState(run.model.stateShape(), 34)) {
      float[] expected = run.logits(run.tokens(2, 4));
      refused(run, foreign, "another shape", expected);
      run.prefill(state, run.tokens(1, 35));
      byte[] saved = ModelRun.saved(state);
      assertThatThrownBy(() -> restore(small, saved))
          .isInstanceOf(IOException.class)
          .hasMessage("the saved state has 35 tokens, and there is room for 34");
      assertThat(small.length()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void hybridStatesRewindToNothingOnly(CheckpointSource source) {
    try (ModelRun run = open(source);
        State state = run.newState()) {
      run.prefill(state, run.tokens(1, 20));
      byte[] saved = ModelRun.saved(state);
      assertThatThrownBy(() -> state.rewind(19)).isInstanceOf(UnsupportedOperationException.class);
      state.rewind(20);
      assertThat(ModelRun.saved(state)).isEqualTo(saved);
      state.rewind(0);
      assertThat(state.length()).isZero();
      int[] tokens = run.tokens(2, 9);
      Comparison.assertIdentical("rewound", run.prefill(state, tokens), run.logits(tokens));
    }
  }

  /** The MTP module's state is attention alone. */
  @ParameterizedTest
  @MethodSource("sources")
  void attentionStatesRewindAnywhere(CheckpointSource source) {
    try (ModelRun run = open(source)) {
      if (!Mtp.isIn(run.checkpoint)) {
        return; // MLX conversions leave the module out
      }
      try (Mtp mtp = Mtp.load(run.checkpoint, run.model);
          State main = run.newState();
          State state = run.backend.newState(mtp.stateShape(), ModelRun.CAPACITY)) {
        int[] prompt = run.tokens(1, 40);
        main.begin(Pass.PREFILL, 40);
        Tensor hidden = run.model.forward(run.backend.tokens(prompt), main);
        main.accept(40);
        int[] right = run.tokens(2, 40);
        float[] expected = read(run, mtp, state, hidden, right, 0, 40, Pass.PREFILL);
        int width = expected.length / 40;
        for (int kept : new int[] {39, 24, 1, 0}) {
          state.rewind(kept);
          assertThat(state.length()).isEqualTo(kept);
          int wrong = Math.min(16, 40 - kept);
          read(run, mtp, state, hidden, prompt, kept, kept + wrong, Pass.VERIFY);
          state.rewind(kept);
          for (int from = kept; from < 40; from += 5) {
            int to = Math.min(40, from + 5);
            float[] z = read(run, mtp, state, hidden, right, from, to, Pass.VERIFY);
            assertSame(
                "rewound to " + kept, z, BatchInvarianceSuite.rows(expected, from, to, width));
          }
        }
        assertThatThrownBy(() -> state.rewind(41)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> state.rewind(-1)).isInstanceOf(IllegalArgumentException.class);
      }
    }
  }

  private static float[] read(
      ModelRun run, Mtp mtp, State state, Tensor hidden, int[] next, int from, int to, Pass pass) {
    state.begin(pass, to - from);
    Tensor part = run.backend.rows(hidden, new Rows(from, to - from));
    Tensor z = mtp.forward(run.backend.tokens(Arrays.copyOfRange(next, from, to)), part, state);
    state.accept(to - from);
    return run.floats(z);
  }

  /** Random numbers in place of tokens: all goes on from there as from any other state. */
  @ParameterizedTest
  @MethodSource("sources")
  void filledStatesGoOnAsIfTheyHadRead(CheckpointSource source) throws IOException {
    try (ModelRun run = open(source);
        State state = run.newState();
        State restored = run.newState()) {
      run.prefill(state, run.tokens(1, 12));
      state.fill(70, 1);
      byte[] saved = ModelRun.saved(state);
      assertThat(state.length()).isEqualTo(70);
      restore(restored, saved);
      float[] logits = run.verify(state, 2, run.tokens(3, 4));
      assertThat(logits).doesNotContain(Float.NaN, Float.POSITIVE_INFINITY);
      Comparison.assertIdentical("filled", logits, run.verify(restored, 2, run.tokens(3, 4)));
      assertThat(state.length()).isEqualTo(72);
      state.fill(70, 1);
      assertThat(ModelRun.saved(state)).isEqualTo(saved);
      state.fill(70, 2);
      assertThat(ModelRun.saved(state)).isNotEqualTo(saved);
      assertThat(run.verify(state, 4, run.tokens(3, 4))).isNotEqualTo(logits);
      state.fill(0, 1);
      try (State empty = run.newState()) {
        assertThat(ModelRun.saved(state)).isEqualTo(ModelRun.saved(empty));
      }
      state.fill(ModelRun.CAPACITY, 1);
      assertThatThrownBy(() -> state.fill(ModelRun.CAPACITY + 1, 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> state.fill(-1, 1)).isInstanceOf(IllegalArgumentException.class);
      state.rewind(0);
      int[] tokens = run.tokens(2, 9);
      Comparison.assertIdentical("emptied", run.prefill(state, tokens), run.logits(tokens));
    }
  }

  @Test
  void passesAreOpenedAndClosedInOrder() {
    try (ModelRun run = tiny();
        State state = run.backend.newState(run.model.stateShape(), 20)) {
      assertThat(state.capacity()).isEqualTo(20);
      assertThatThrownBy(() -> state.accept(0)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> state.begin(Pass.PREFILL, 0))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> state.begin(Pass.VERIFY, State.MAX_VERIFY + 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> state.begin(Pass.PREFILL, 21))
          .isInstanceOf(IllegalArgumentException.class);
      run.prefill(state, run.tokens(1, 18));
      assertThatThrownBy(() -> state.begin(Pass.VERIFY, 3))
          .isInstanceOf(IllegalArgumentException.class);
      state.begin(Pass.VERIFY, 2);
      assertThatThrownBy(() -> state.begin(Pass.VERIFY, 1))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(state::fork).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> state.rewind(0)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> state.fill(1, 1)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> ModelRun.saved(state)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> restore(state, new byte[0]))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> state.accept(3)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> state.accept(-1)).isInstanceOf(IllegalArgumentException.class);
      assertThat(state.length()).describedAs("until a pass is accepted").isEqualTo(18);
      state.accept(0);
      assertThat(state.length()).isEqualTo(18);
      state.begin(Pass.PREFILL, 2);
      assertThatThrownBy(() -> state.accept(1)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void tensorsMustHaveThePassesRows() {
    try (ModelRun run = tiny();
        State state = run.newState()) {
      Tensor tokens = run.backend.tokens(run.tokens(1, 3));
      assertThatThrownBy(() -> run.model.forward(tokens, state))
          .describedAs("no pass is open")
          .isInstanceOf(IllegalStateException.class);
      state.begin(Pass.PREFILL, 4);
      assertThatThrownBy(() -> run.model.forward(tokens, state))
          .isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void countsItsMemory() {
    try (ModelRun run = tiny();
        State state = run.newState()) {
      run.prefill(state, run.tokens(1, 100));
      assertThat(state.bytes()).isGreaterThanOrEqualTo(run.model.stateShape().bytes(100, 2));
    }
  }
}
