package dev.qnext.suites;

import static dev.qnext.suites.GoldenResults.ids;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.Safetensors;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.fixtures.Comparison;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import dev.qnext.model.Mtp;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/**
 * The bundled model against transformers on its dequantized weights; its MTP module against
 * scripts/demo-model/model.py (scripts/demo-model/golden.py made the data).
 */
public abstract class DemoModelSuite extends BackendSuite {
  private static final double TOLERANCE = 1e-3;
  private static final Map<?, ?> EXPECTED =
      (Map<?, ?>)
          Objects.requireNonNull(Json.read(Golden.path("demo/expected.json"), "expected results"));

  private ModelRun open() {
    return new ModelRun(backend(), Golden.repository().resolve("models/demo"));
  }

  private static List<Map<?, ?>> prompts() {
    List<?> prompts = (List<?>) Objects.requireNonNull(EXPECTED.get("prompts"));
    return prompts.stream().<Map<?, ?>>map(prompt -> (Map<?, ?>) prompt).toList();
  }

  @Test
  void argmaxAndGreedyTokens() {
    try (ModelRun run = open()) {
      for (Map<?, ?> prompt : prompts()) {
        int[] greedy = ids(prompt.get("greedy"));
        int[] tokens = new int[greedy.length];
        try (State state = run.newState()) {
          float[] logits = run.prefill(state, ids(prompt.get("ids")));
          assertThat(run.argmax(logits)).isEqualTo(ids(prompt.get("argmax")));
          for (int i = 0; i < tokens.length; i++) {
            tokens[i] = Sampling.argmax(run.last(logits));
            logits = run.verify(state, 1, tokens[i]);
          }
        }
        assertThat(tokens).isEqualTo(greedy);
      }
    }
  }

  @Test
  void mtpPredictsTheTokenAfterNext() {
    try (ModelRun run = open()) {
      for (Map<?, ?> prompt : prompts()) {
        int[] given = ids(prompt.get("ids"));
        int[] greedy = ids(prompt.get("greedy"));
        int[] all = Arrays.copyOf(given, given.length + greedy.length);
        System.arraycopy(greedy, 0, all, given.length, greedy.length);
        assertThat(run.argmax(draft(run, all))).isEqualTo(ids(prompt.get("mtp_argmax")));
      }
    }
  }

  @Test
  void logits() {
    int[] given = ids(EXPECTED.get("logits_ids"));
    Map<String, StoredTensor> expected =
        Safetensors.open(Golden.path("demo/expected.safetensors"), Arena.ofAuto()).tensors();
    try (ModelRun run = open()) {
      Comparison.assertClose(
          "demo logits",
          run.logits(given),
          Objects.requireNonNull(expected.get("logits")).floats(),
          TOLERANCE);
      Comparison.assertClose(
          "demo MTP logits",
          draft(run, given),
          Objects.requireNonNull(expected.get("mtp_logits")).floats(),
          TOLERANCE);
    }
  }

  /** MTP logits at every position that has a next token. */
  private static float[] draft(ModelRun run, int[] ids) {
    int pairs = ids.length - 1;
    try (Mtp mtp = Mtp.load(run.checkpoint, run.model);
        Scope scope = run.backend.scope();
        State state = run.newState();
        State mtpState = run.backend.newState(mtp.stateShape(), ModelRun.CAPACITY)) {
      state.begin(Pass.PREFILL, ids.length);
      Tensor hidden = run.model.forward(run.backend.tokens(ids), state);
      state.accept(ids.length);
      mtpState.begin(Pass.PREFILL, pairs);
      Tensor next = run.backend.tokens(Arrays.copyOfRange(ids, 1, ids.length));
      Tensor z = mtp.forward(next, run.backend.rows(hidden, new Rows(0, pairs)), mtpState);
      mtpState.accept(pairs);
      return run.floats(mtp.logits(z, Rows.all(z)));
    }
  }
}
