package dev.qnext.suites;

import static dev.qnext.suites.GoldenResults.id;
import static dev.qnext.suites.GoldenResults.ids;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.fixtures.Comparison;
import dev.qnext.fixtures.Golden;
import dev.qnext.model.Mtp;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every golden checkpoint against transformers and mlx-lm: logits, argmax, greedy tokens, MTP. The
 * ones under {@code random} have odd shapes and rare formats (scripts/oracle/fixtures.py makes
 * them; scripts/oracle/run checks many more of this kind).
 */
public abstract class GoldenModelSuite extends BackendSuite {
  static final List<String> CHECKPOINTS =
      List.of(
          "tiny/hf",
          "tiny/mlx-4bit",
          "tiny/mlx-qx53n",
          "odd/hf",
          "odd/mlx-mxfp4",
          "yarn/hf",
          "yarn/mlx-bf16",
          "yarn/mlx-3bit",
          "yarn/mlx-qx86n-hi");

  private static final List<String> RANDOM =
      List.of(
          "random/mixed",
          "random/sparse",
          "random/mlx-nvfp4",
          "random/mlx-mxfp8",
          "random/mlx-8bit-g128");

  private static final List<String> WITH_MTP =
      List.of("tiny/hf", "odd/hf", "yarn/hf", "random/mixed", "random/sparse");

  static Stream<String> checkpoints() {
    return Stream.of(CHECKPOINTS, RANDOM).flatMap(List::stream);
  }

  private ModelRun open(String name) {
    if (name.contains("/mlx-") && !name.endsWith("bf16")) {
      needsExactProducts();
    }
    return new ModelRun(backend(), Golden.path(name));
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void logitsAndArgmax(String name) {
    GoldenResults expected = new GoldenResults(name);
    try (ModelRun run = open(name)) {
      for (Map.Entry<?, ?> prompt : expected.object("prompts").entrySet()) {
        Map<?, ?> facts = (Map<?, ?>) prompt.getValue();
        float[] logits = run.logits(ids(facts.get("tokens")));
        int from = id(facts.get("first_position")) * run.model.vocabularySize();
        assertClose(
            name,
            prompt.getKey() + ".logits",
            Arrays.copyOfRange(logits, from, logits.length),
            expected);
        assertThat(run.argmax(logits)).isEqualTo(expected.ints(prompt.getKey() + ".argmax"));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void greedyTokens(String name) {
    GoldenResults expected = new GoldenResults(name);
    Map<?, ?> greedy = expected.object("greedy");
    int[] tokens = ids(greedy.get("tokens"));
    try (ModelRun run = open(name);
        State state = run.newState()) {
      float[] logits = run.last(run.prefill(state, ids(greedy.get("prompt"))));
      for (int i = 0; i < tokens.length; i++) {
        assertThat(Sampling.argmax(logits)).describedAs("token %d", i).isEqualTo(tokens[i]);
        if (i == tokens.length - 1 && expected.has("greedy.last_logits")) {
          assertClose(name, "greedy.last_logits", logits, expected);
        }
        logits = run.verify(state, 1, tokens[i]);
      }
    }
  }

  static Stream<String> withMtp() {
    return WITH_MTP.stream();
  }

  /** The module is fed as speculation feeds it: true hidden states, then its own. */
  @ParameterizedTest
  @MethodSource("withMtp")
  void mtp(String name) {
    GoldenResults expected = new GoldenResults(name);
    Map<?, ?> facts = expected.object("mtp");
    String longest = name.startsWith("random/") ? "len65" : "len64";
    int[] prompt = expected.prompt(longest);
    int length = prompt.length;
    int[] next = Arrays.copyOfRange(prompt, 1, length + 1);
    next[length - 1] = id(facts.get("next_token"));
    try (ModelRun run = open(name);
        Mtp mtp = Mtp.load(run.checkpoint, run.model);
        Scope scope = run.backend.scope();
        State state = run.newState();
        State mtpState = run.backend.newState(mtp.stateShape(), ModelRun.CAPACITY)) {
      state.begin(Pass.PREFILL, length);
      Tensor hidden = run.model.forward(run.backend.tokens(prompt), state);
      state.accept(length);
      mtpState.begin(Pass.PREFILL, length);
      Tensor z = mtp.forward(run.backend.tokens(next), hidden, mtpState);
      mtpState.accept(length);
      int kept = expected.floats("mtp.z").length / z.columns();
      Rows last = new Rows(length - kept, kept);
      assertClose(name, "mtp.z", run.floats(run.backend.rows(z, last)), expected);
      assertClose(name, "mtp.logits", run.floats(mtp.logits(z, last)), expected);

      int[] drafts = ids(facts.get("drafts"));
      float[] all = new float[0];
      Tensor step = run.backend.rows(z, Rows.last(z));
      for (int draft : drafts) {
        float[] logits = run.floats(mtp.logits(step, Rows.all(step)));
        assertThat(Sampling.argmax(logits)).isEqualTo(draft);
        all = Arrays.copyOf(all, all.length + logits.length);
        System.arraycopy(logits, 0, all, all.length - logits.length, logits.length);
        mtpState.begin(Pass.VERIFY, 1);
        step = mtp.forward(run.backend.tokens(new int[] {draft}), step, mtpState);
        mtpState.accept(1);
      }
      assertClose(name, "mtp.draft_logits", all, expected);
      mtpState.rewind(length);
      assertThat(mtpState.length()).isEqualTo(length);
    }
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void conversionsLeaveTheMtpModuleOut(String name) {
    try (ModelRun run = open(name)) {
      assertThat(Mtp.isIn(run.checkpoint)).isEqualTo(WITH_MTP.contains(name));
    }
  }

  private void assertClose(String name, String tensor, float[] actual, GoldenResults expected) {
    Comparison.assertClose(name + " " + tensor, actual, expected.floats(tensor), largestError());
  }
}
