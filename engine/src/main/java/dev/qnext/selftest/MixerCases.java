package dev.qnext.selftest;

import dev.qnext.backend.Pass;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import java.util.List;
import java.util.SplittableRandom;

/** attention and deltaNet: prefill, decode, and verify with some tokens kept. */
final class MixerCases {
  /** The first of each has the heads of Qwen3-Next, of which there are fewer. */
  private static final List<Mixer> MIXERS =
      List.of(
          new Mixer.Attention("mixer.0", 4, 1, 256, 64, 1),
          new Mixer.Attention("mixer.1", 4, 2, 64, 64, 1.2f),
          new Mixer.Delta("mixer.2", new StateShape.Delta(1, 2, 128, 128, 4)),
          new Mixer.Delta("mixer.3", new StateShape.Delta(2, 4, 64, 32, 4)));

  private MixerCases() {}

  static void add(RandomWeights weights, List<Case> cases) {
    SplittableRandom random = new SplittableRandom(3);
    for (Mixer mixer : MIXERS) {
      mixer.write(weights, random);
    }
    for (Mixer mixer : MIXERS) {
      // More than 64, the usual size of a chunk in chunkwise prefill, then more behind it.
      add(
          cases,
          mixer,
          "prefill 70 and 9",
          (bench, state) -> {
            bench.read(mixer.pass(bench, state, Pass.PREFILL, 70));
            bench.read(mixer.pass(bench, state, Pass.PREFILL, 9));
          });
      add(
          cases,
          mixer,
          "decode 3",
          (bench, state) -> {
            mixer.pass(bench, state, Pass.PREFILL, 12);
            for (int i = 0; i < 3; i++) {
              bench.read(mixer.pass(bench, state, Pass.VERIFY, 1));
            }
          });
      add(
          cases,
          mixer,
          "verify, keep some",
          (bench, state) -> {
            mixer.pass(bench, state, Pass.PREFILL, 12);
            for (int kept : new int[] {2, 0, 5}) {
              bench.read(mixer.pass(bench, state, Pass.VERIFY, 5, kept));
              bench.read(mixer.pass(bench, state, Pass.VERIFY, 1));
            }
            bench.read(mixer.pass(bench, state, Pass.VERIFY, State.MAX_VERIFY));
          });
    }
  }

  private interface Steps {
    void run(Bench bench, State state);
  }

  private static void add(List<Case> cases, Mixer mixer, String name, Steps steps) {
    StateShape shape = new StateShape(List.of(mixer.shape()));
    cases.add(
        Case.of(
            mixer.operation(),
            "%s, %s".formatted(mixer.sizes(), name),
            mixer.specs(),
            bench -> {
              try (State state = bench.backend().newState(shape, Mixer.TOKENS)) {
                steps.run(bench, state);
              }
            }));
  }
}
