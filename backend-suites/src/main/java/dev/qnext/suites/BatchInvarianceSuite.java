package dev.qnext.suites;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.WeightSpec;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The promise that makes speculation and prefix reuse lossless: the bits of a row depend on the
 * tokens before it, and on nothing else. However the same tokens are read, in chunks, one by one,
 * among rejected drafts or on a fork, logits and saved state are identical; on a backend that
 * promises less, they are close.
 */
public abstract class BatchInvarianceSuite extends BackendSuite {
  private static final int LENGTH = 67;

  protected final ModelRun open(CheckpointSource source) {
    return new ModelRun(backend(), source.folder(temporary));
  }

  static Stream<CheckpointSource> sources() {
    return CheckpointSource.all();
  }

  static float[] rows(float[] logits, int from, int to, int width) {
    return Arrays.copyOfRange(logits, from * width, to * width);
  }

  @ParameterizedTest
  @MethodSource("sources")
  void chunksOfAnySize(CheckpointSource source) {
    try (ModelRun run = open(source);
        State whole = run.newState()) {
      int[] prompt = run.tokens(1, LENGTH);
      int width = run.model.vocabularySize();
      float[] expected = run.prefill(whole, prompt);
      for (int seed = 0; seed < 6; seed++) {
        SplittableRandom random = new SplittableRandom(seed);
        StringBuilder split = new StringBuilder("chunks of");
        try (State state = run.newState()) {
          for (int from = 0; from < LENGTH; ) {
            int most = List.of(1, 5, 16, 40).get(random.nextInt(4));
            int to = Math.min(LENGTH, from + 1 + random.nextInt(most));
            int[] chunk = Arrays.copyOfRange(prompt, from, to);
            boolean verify = to - from <= State.MAX_VERIFY && random.nextBoolean();
            split.append(verify ? " v" : " ").append(to - from);
            float[] logits =
                verify ? run.verify(state, to - from, chunk) : run.prefill(state, chunk);
            assertSame("" + split, logits, rows(expected, from, to, width));
            from = to;
          }
          assertSameState("" + split, state, ModelRun.saved(whole));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void oneTokenAtATime(CheckpointSource source) {
    try (ModelRun run = open(source);
        State state = run.newState()) {
      int[] prompt = run.tokens(2, 40);
      int width = run.model.vocabularySize();
      float[] expected = run.logits(prompt);
      for (int t = 0; t < prompt.length; t++) {
        float[] logits = run.verify(state, 1, prompt[t]);
        assertSame("token " + t, logits, rows(expected, t, t + 1, width));
      }
    }
  }

  /** Every prefix of every verify pass: what is kept is what reading just that would have left. */
  @ParameterizedTest
  @MethodSource("sources")
  void acceptKeepsExactlyAPrefix(CheckpointSource source) {
    try (ModelRun run = open(source);
        State base = run.newState()) {
      run.prefill(base, run.tokens(3, 21));
      int[] read = run.tokens(4, State.MAX_VERIFY);
      int[] next = run.tokens(5, 3);
      byte[][] states = new byte[read.length + 1][];
      float[][] after = new float[read.length + 1][];
      float[] logits = new float[0];
      try (State straight = base.fork()) {
        for (int n = 0; n <= read.length; n++) {
          states[n] = ModelRun.saved(straight);
          try (State ahead = straight.fork()) {
            after[n] = run.prefill(ahead, next);
          }
          if (n < read.length) {
            float[] row = run.prefill(straight, read[n]);
            logits = Arrays.copyOf(logits, logits.length + row.length);
            System.arraycopy(row, 0, logits, logits.length - row.length, row.length);
          }
        }
      }
      int width = run.model.vocabularySize();
      // The golden ones are larger and slower.
      int[] lengths =
          source.golden()
              ? new int[] {1, 2, 5, 16}
              : new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
      for (int tokens : lengths) {
        for (int kept = 0; kept <= tokens; kept++) {
          String what = "%d of %d".formatted(kept, tokens);
          try (State state = base.fork()) {
            float[] verified = run.verify(state, kept, Arrays.copyOf(read, tokens));
            assertSame(what, verified, rows(logits, 0, tokens, width));
            assertThat(state.length()).isEqualTo(21 + kept);
            assertSameState(what, state, states[kept]);
            assertSame(what, run.verify(state, 3, next), after[kept]);
          }
        }
      }
    }
  }

  /** As speculation goes: right drafts, wrong drafts, and prefills in between. */
  @ParameterizedTest
  @MethodSource("sources")
  void rejectedDraftsLeaveNoTrace(CheckpointSource source) {
    try (ModelRun run = open(source);
        State whole = run.newState()) {
      int[] prompt = run.tokens(6, LENGTH);
      int width = run.model.vocabularySize();
      float[] expected = run.prefill(whole, prompt);
      for (int seed = 0; seed < 3; seed++) {
        SplittableRandom random = new SplittableRandom(seed);
        try (State state = run.newState()) {
          for (int from = 0; from < LENGTH; ) {
            int right = Math.min(LENGTH - from, random.nextInt(State.MAX_VERIFY + 1));
            int wrong = random.nextInt(State.MAX_VERIFY - right + 1);
            if (right + wrong == 0) {
              continue;
            }
            int[] pass = Arrays.copyOf(run.tokens(from, State.MAX_VERIFY), right + wrong);
            System.arraycopy(prompt, from, pass, 0, right);
            float[] logits = run.verify(state, right, pass);
            assertSame(
                "%d right and %d wrong from %d".formatted(right, wrong, from),
                rows(logits, 0, right, width),
                rows(expected, from, from + right, width));
            from += right;
          }
          assertSameState("after drafts", state, ModelRun.saved(whole));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void forksGoOnIndependently(CheckpointSource source) {
    try (ModelRun run = open(source)) {
      int[] prefix = run.tokens(7, 30);
      int[] left = run.tokens(8, 12);
      int[] right = run.tokens(9, 12);
      float[] expectedLeft = after(run, prefix, left);
      float[] expectedRight = after(run, prefix, right);
      int width = run.model.vocabularySize();
      try (State a = run.newState()) {
        run.prefill(a, prefix);
        State b = a.fork();
        assertThat(b.length()).isEqualTo(30);
        assertThat(b.capacity()).isEqualTo(a.capacity());
        for (int t = 0; t < 12; t += 3) {
          float[] onA = run.prefill(a, Arrays.copyOfRange(left, t, t + 3));
          float[] onB = run.verify(b, 3, Arrays.copyOfRange(right, t, t + 3));
          assertSame("a", onA, rows(expectedLeft, t, t + 3, width));
          assertSame("b", onB, rows(expectedRight, t, t + 3, width));
        }
        try (State c = b.fork()) {
          b.close();
          assertThat(c.length()).isEqualTo(42);
          float[] onC = run.prefill(c, left);
          int[] all = Arrays.copyOf(prefix, 42);
          System.arraycopy(right, 0, all, 30, 12);
          assertSame("fork of a fork", onC, after(run, all, left));
        }
      }
    }
  }

  private static float[] after(ModelRun run, int[] prefix, int[] tokens) {
    try (State state = run.newState()) {
      run.prefill(state, prefix);
      return run.prefill(state, tokens);
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void rowsOfEmbedAndLinearDoNotKnowEachOther(CheckpointSource source) {
    try (ModelRun run = open(source)) {
      String table = "model.embed_tokens";
      int vocabulary = run.model.vocabularySize();
      int hidden = run.checkpoint.config().size("hidden_size");
      Layout layout = new Layout(List.of(WeightSpec.matrix(table, vocabulary, hidden)));
      try (Weights weights = run.backend.bind(run.checkpoint, layout)) {
        Weight weight = weights.get(table);
        int[] ids = run.tokens(10, 33);
        float[][] alone = new float[ids.length][];
        float[][] product = new float[ids.length][];
        for (int t = 0; t < ids.length; t++) {
          Tensor x = run.backend.embed(weight, run.backend.tokens(new int[] {ids[t]}));
          alone[t] = run.floats(x);
          product[t] = run.floats(run.backend.linear(weight, x));
        }
        for (int count = 1; count <= ids.length; count++) {
          int[] some = Arrays.copyOf(ids, count);
          Tensor x = run.backend.embed(weight, run.backend.tokens(some));
          float[] embedded = run.floats(x);
          float[] multiplied = run.floats(run.backend.linear(weight, x));
          for (int t = 0; t < count; t++) {
            String what = "row %d of %d".formatted(t, count);
            assertSame(what, rows(embedded, t, t + 1, hidden), alone[t]);
            assertSame(what, rows(multiplied, t, t + 1, vocabulary), product[t]);
          }
        }
      }
    }
  }
}
