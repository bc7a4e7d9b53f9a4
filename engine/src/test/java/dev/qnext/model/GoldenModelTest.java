package dev.qnext.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Safetensors;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every golden checkpoint against transformers and mlx-lm: logits, argmax, greedy tokens, MTP. */
class GoldenModelTest {
  private static final float TOLERANCE = 1e-3f;

  static Stream<String> checkpoints() {
    return Stream.of(
        "tiny/hf",
        "tiny/mlx-4bit",
        "tiny/mlx-qx53n",
        "odd/hf",
        "odd/mlx-mxfp4",
        "yarn/hf",
        "yarn/mlx-bf16",
        "yarn/mlx-3bit",
        "yarn/mlx-qx86n-hi");
  }

  private Backend backend() {
    return new ReferenceBackend();
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void logitsAndArgmax(String name) {
    try (Run run = new Run(name)) {
      for (Map.Entry<?, ?> prompt : run.object("prompts").entrySet()) {
        Map<?, ?> facts = (Map<?, ?>) prompt.getValue();
        int[] ids = ids(facts.get("tokens"));
        int first = (int) (long) (Long) facts.get("first_position");
        float[] logits = run.logits(ids);
        run.assertClose(prompt.getKey() + ".logits", logits, first * run.vocabulary());
        int[] argmax = run.expected(prompt.getKey() + ".argmax").ints();
        for (int t = 0; t < ids.length; t++) {
          assertThat(Sampling.argmax(row(logits, t, run.vocabulary())))
              .describedAs("%s %s argmax at %d", name, prompt.getKey(), t)
              .isEqualTo(argmax[t]);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void greedyTokens(String name) {
    try (Run run = new Run(name)) {
      Map<?, ?> greedy = run.object("greedy");
      int[] prompt = ids(greedy.get("prompt"));
      List<Integer> tokens = new ArrayList<>();
      try (State state = run.newState()) {
        float[] logits = run.last(run.forward(prompt, state, Pass.PREFILL));
        for (int i = 0; i < 48; i++) {
          int next = Sampling.argmax(logits);
          tokens.add(next);
          if (i == 47) {
            run.assertClose("greedy.last_logits", logits, 0);
          }
          logits = run.last(run.forward(new int[] {next}, state, Pass.VERIFY));
        }
      }
      assertThat(tokens.stream().mapToInt(i -> i).toArray()).isEqualTo(ids(greedy.get("tokens")));
    }
  }

  @ParameterizedTest
  @MethodSource("checkpoints")
  void mtp(String name) {
    try (Run run = new Run(name)) {
      assertThat(Mtp.isIn(run.checkpoint)).isEqualTo(name.endsWith("hf"));
      if (!Mtp.isIn(run.checkpoint)) {
        return;
      }
      Map<?, ?> facts = run.object("mtp");
      int[] prompt = ids(((Map<?, ?>) run.object("prompts").get("len64")).get("tokens"));
      int[] next = new int[64];
      System.arraycopy(prompt, 1, next, 0, 63);
      next[63] = (int) (long) (Long) facts.get("next_token");
      try (State state = run.newState();
          Mtp mtp = Mtp.load(run.checkpoint, run.model);
          State mtpState = run.backend.newState(mtp.stateShape(), 80)) {
        Tensor hidden = run.forward(prompt, state, Pass.PREFILL);
        mtpState.begin(Pass.PREFILL, 64);
        Tensor z = mtp.forward(run.backend.tokens(next), hidden, mtpState);
        mtpState.accept(64);
        run.assertClose("mtp.z", run.floats(run.backend.rows(z, new Rows(60, 4))), 0);
        run.assertClose("mtp.logits", run.floats(mtp.logits(z, new Rows(60, 4))), 0);
        int[] drafts = ids(facts.get("drafts"));
        Tensor chained = run.backend.rows(z, Rows.last(z));
        float[] draftLogits = run.floats(mtp.logits(chained, Rows.all(chained)));
        float[] all = new float[3 * draftLogits.length];
        for (int k = 0; k < 3; k++) {
          System.arraycopy(draftLogits, 0, all, k * draftLogits.length, draftLogits.length);
          int draft = Sampling.argmax(draftLogits);
          assertThat(draft).isEqualTo(drafts[k]);
          mtpState.begin(Pass.VERIFY, 1);
          chained = mtp.forward(run.backend.tokens(new int[] {draft}), chained, mtpState);
          mtpState.accept(1);
          draftLogits = run.floats(mtp.logits(chained, Rows.all(chained)));
        }
        run.assertClose("mtp.draft_logits", all, 0);
        mtpState.rewind(64);
        assertThat(mtpState.length()).isEqualTo(64);
      }
    }
  }

  private static float[] row(float[] logits, int t, int width) {
    return java.util.Arrays.copyOfRange(logits, t * width, (t + 1) * width);
  }

  static int[] ids(Object list) {
    return ((List<?>) list).stream().mapToInt(id -> (int) (long) (Long) id).toArray();
  }

  /** One checkpoint with its expected results. */
  private final class Run implements AutoCloseable {
    final String name;
    final Backend backend = backend();
    final Checkpoint checkpoint;
    final LanguageModel model;
    final Map<?, ?> facts;
    final Map<String, StoredTensor> expected;

    Run(String name) {
      this.name = name;
      this.checkpoint = Checkpoint.open(Golden.path(name));
      this.model = LanguageModel.load(checkpoint, backend);
      Path expected = Golden.path(name.replace("/", "/expected/") + ".json");
      this.facts = (Map<?, ?>) Json.read(expected, "expected results");
      Path tensors =
          expected.resolveSibling(
              expected.getFileName().toString().replace(".json", ".safetensors"));
      assertThat(Files.exists(tensors)).isTrue();
      this.expected = Safetensors.open(tensors, Arena.ofAuto()).tensors();
    }

    Map<?, ?> object(String key) {
      return (Map<?, ?>) facts.get(key);
    }

    StoredTensor expected(String name) {
      return expected.get(name);
    }

    int vocabulary() {
      return model.vocabularySize();
    }

    State newState() {
      return backend.newState(model.stateShape(), model.contextLimit());
    }

    Tensor forward(int[] ids, State state, Pass pass) {
      state.begin(pass, ids.length);
      Tensor hidden = model.forward(backend.tokens(ids), state);
      state.accept(ids.length);
      return hidden;
    }

    float[] logits(int[] ids) {
      try (State state = newState()) {
        Tensor hidden = forward(ids, state, Pass.PREFILL);
        return floats(model.logits(hidden, Rows.all(hidden)));
      }
    }

    float[] last(Tensor hidden) {
      return floats(model.logits(hidden, Rows.last(hidden)));
    }

    float[] floats(Tensor tensor) {
      float[] out = new float[tensor.rows() * tensor.columns()];
      backend.readFloats(tensor, MemorySegment.ofArray(out));
      return out;
    }

    void assertClose(String tensor, float[] actual, int from) {
      float[] wanted = expected(tensor).floats();
      float worst = 0;
      for (int i = 0; i < wanted.length; i++) {
        float difference = Math.abs(actual[from + i] - wanted[i]);
        worst = Math.max(worst, Float.isNaN(difference) ? Float.POSITIVE_INFINITY : difference);
      }
      System.out.printf("%s %s: max difference %.2e%n", name, tensor, worst);
      assertThat(worst).describedAs("%s %s: max difference", name, tensor).isLessThan(TOLERANCE);
    }

    @Override
    public void close() {
      model.close();
      checkpoint.close();
    }
  }
}
