package dev.qnext.selftest;

import dev.qnext.backend.Pass;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.checkpoint.WeightSpec;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** What a state can do besides passes: fork, rewind, save and restore. */
final class StateCases {
  private static final Mixer.Attention ATTENTION = new Mixer.Attention("state.0", 2, 1, 64, 32, 1);
  private static final Mixer.Delta DELTA =
      new Mixer.Delta("state.1", new StateShape.Delta(1, 2, 32, 32, 4));
  private static final StateShape BOTH = new StateShape(List.of(ATTENTION.shape(), DELTA.shape()));
  private static final int CAPACITY = 64;

  private StateCases() {}

  static void add(RandomWeights weights, List<Case> cases) {
    SplittableRandom random = new SplittableRandom(4);
    ATTENTION.write(weights, random);
    DELTA.write(weights, random);
    List<WeightSpec> specs = new ArrayList<>(ATTENTION.specs());
    specs.addAll(DELTA.specs());
    cases.add(
        Case.of(
            "state",
            "fork",
            specs,
            bench -> {
              try (State state = bench.backend().newState(BOTH, CAPACITY)) {
                read(bench, state, Pass.PREFILL, 12);
                try (State fork = state.fork()) {
                  // Different lengths: what one does must not show in the other.
                  read(bench, fork, Pass.PREFILL, 5);
                  read(bench, state, Pass.VERIFY, 1);
                  read(bench, fork, Pass.VERIFY, 1);
                }
                read(bench, state, Pass.VERIFY, 1);
              }
            }));
    cases.add(
        Case.of(
            "state",
            "save and restore",
            specs,
            bench -> {
              try (State state = bench.backend().newState(BOTH, CAPACITY);
                  State restored = bench.backend().newState(BOTH, CAPACITY)) {
                read(bench, state, Pass.PREFILL, 12);
                ByteArrayOutputStream saved = new ByteArrayOutputStream();
                state.save(saved);
                restored.restore(new ByteArrayInputStream(saved.toByteArray()));
                read(bench, restored, Pass.VERIFY, 1);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            }));
    cases.add(
        Case.of(
            "state",
            "rewind",
            ATTENTION.specs(),
            bench -> {
              StateShape alone = new StateShape(List.of(ATTENTION.shape()));
              try (State state = bench.backend().newState(alone, CAPACITY)) {
                ATTENTION.pass(bench, state, Pass.PREFILL, 12);
                state.rewind(7);
                bench.read(ATTENTION.pass(bench, state, Pass.VERIFY, 1));
                state.rewind(0);
                bench.read(ATTENTION.pass(bench, state, Pass.PREFILL, 3));
              }
            }));
  }

  /** A pass through both layers, all of whose tokens are kept. */
  private static void read(Bench bench, State state, Pass pass, int tokens) {
    int first = (int) state.length();
    state.begin(pass, tokens);
    bench.read(ATTENTION.mix(bench, state, 0, first, tokens));
    bench.read(DELTA.mix(bench, state, 1, first, tokens));
    state.accept(tokens);
  }
}
