package dev.qnext.model;

import static dev.qnext.fixtures.Comparison.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.checkpoint.Safetensors;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.fixtures.TensorFile;
import dev.qnext.json.Json;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Small checkpoints of odd shapes, made by scripts/oracle/fixtures.py: logits and greedy tokens of
 * transformers and mlx-lm, and the MTP module by its formulas in f64. scripts/oracle/run checks
 * many more of this kind.
 */
class RandomShapesTest {
  private static final double TOLERANCE = 1e-3;

  @ParameterizedTest
  @ValueSource(strings = {"mixed", "sparse", "mlx-nvfp4", "mlx-mxfp8", "mlx-8bit-g128"})
  void logitsAndGreedyTokens(String name) {
    Expected expected = new Expected(name);
    try (ModelRun run = run(name)) {
      for (Map.Entry<?, ?> prompt : expected.object("prompts").entrySet()) {
        Map<?, ?> facts = (Map<?, ?>) prompt.getValue();
        int[] ids = ids(facts.get("tokens"));
        float[] logits = run.logits(ids);
        int width = run.model.vocabularySize();
        int from = (int) (long) (Long) facts.get("first_position") * width;
        assertClose(
            name + " " + prompt.getKey(),
            Arrays.copyOfRange(logits, from, logits.length),
            expected.floats(prompt.getKey() + ".logits"),
            TOLERANCE);
        int[] best = new int[ids.length];
        for (int t = 0; t < best.length; t++) {
          best[t] = Sampling.argmax(Arrays.copyOfRange(logits, t * width, (t + 1) * width));
        }
        assertThat(best).isEqualTo(expected.tensors.get(prompt.getKey() + ".argmax").ints());
      }
      Map<?, ?> greedy = expected.object("greedy");
      int[] tokens = ids(greedy.get("tokens"));
      assertThat(continuation(run, ids(greedy.get("prompt")), tokens.length)).isEqualTo(tokens);
    }
  }

  private static int[] continuation(ModelRun run, int[] prompt, int count) {
    int width = run.model.vocabularySize();
    int[] tokens = new int[count];
    try (State state = run.newState()) {
      float[] logits = run.prefill(state, prompt);
      for (int i = 0; i < count; i++) {
        float[] last = Arrays.copyOfRange(logits, logits.length - width, logits.length);
        tokens[i] = Sampling.argmax(last);
        logits = run.verify(state, 1, tokens[i]);
      }
    }
    return tokens;
  }

  @ParameterizedTest
  @ValueSource(strings = {"mixed", "sparse"})
  void mtp(String name) {
    Expected expected = new Expected(name);
    Map<?, ?> facts = expected.object("mtp");
    int[] prompt = ids(((Map<?, ?>) expected.object("prompts").get("len65")).get("tokens"));
    int[] next = Arrays.copyOfRange(prompt, 1, prompt.length + 1);
    next[prompt.length - 1] = (int) (long) (Long) facts.get("next_token");
    try (ModelRun run = run(name);
        State state = run.newState();
        Mtp mtp = Mtp.load(run.checkpoint, run.model);
        State mtpState = run.backend.newState(mtp.stateShape(), ModelRun.CAPACITY)) {
      state.begin(Pass.PREFILL, prompt.length);
      Tensor hidden = run.model.forward(run.backend.tokens(prompt), state);
      state.accept(prompt.length);
      mtpState.begin(Pass.PREFILL, prompt.length);
      Tensor z = mtp.forward(run.backend.tokens(next), hidden, mtpState);
      mtpState.accept(prompt.length);
      Rows lastTwo = new Rows(prompt.length - 2, 2);
      assertClose(
          name + " z",
          run.floats(run.backend.rows(z, lastTwo)),
          expected.floats("mtp.z"),
          TOLERANCE);
      assertClose(
          name + " mtp logits",
          run.floats(mtp.logits(z, lastTwo)),
          expected.floats("mtp.logits"),
          TOLERANCE);
      int[] drafts = ids(facts.get("drafts"));
      float[] draftLogits = expected.floats("mtp.draft_logits");
      int width = run.model.vocabularySize();
      Tensor step = run.backend.rows(z, Rows.last(z));
      for (int k = 0; k < drafts.length; k++) {
        float[] logits = run.floats(mtp.logits(step, Rows.all(step)));
        float[] wanted = Arrays.copyOfRange(draftLogits, k * width, (k + 1) * width);
        assertClose(name + " draft " + k, logits, wanted, TOLERANCE);
        assertThat(Sampling.argmax(logits)).isEqualTo(drafts[k]);
        mtpState.begin(Pass.VERIFY, 1);
        step = mtp.forward(run.backend.tokens(new int[] {drafts[k]}), step, mtpState);
        mtpState.accept(1);
      }
    }
  }

  @Test
  void globalScaleIsRefusedRatherThanIgnored(@TempDir Path folder) throws IOException {
    Path source = Golden.path("random/mlx-nvfp4");
    Files.copy(source.resolve("config.json"), folder.resolve("config.json"));
    Map<String, RawTensor> tensors = TensorFile.read(source.resolve("model.safetensors"));
    String module = "model.layers.0.mlp.switch_mlp.up_proj";
    tensors.put(module + ".global_scale", RawTensor.f32(new float[] {1, 2, 3}, 3));
    TensorFile.write(folder.resolve("model.safetensors"), tensors);
    assertThatThrownBy(() -> new ModelRun(new ReferenceBackend(), folder))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining(module)
        .hasMessageContaining("global scale");
  }

  private static ModelRun run(String name) {
    return new ModelRun(new ReferenceBackend(), Golden.path("random/" + name));
  }

  private static int[] ids(Object list) {
    return ((List<?>) list).stream().mapToInt(id -> (int) (long) (Long) id).toArray();
  }

  /** What must come out of one checkpoint. */
  private static final class Expected {
    final Map<?, ?> facts;
    final Map<String, StoredTensor> tensors;

    Expected(String name) {
      String path = "random/expected/" + name;
      facts = (Map<?, ?>) Json.read(Golden.path(path + ".json"), "expected results");
      tensors = Safetensors.open(Golden.path(path + ".safetensors"), Arena.ofAuto()).tensors();
    }

    Map<?, ?> object(String key) {
      return (Map<?, ?>) facts.get(key);
    }

    float[] floats(String name) {
      return tensors.get(name).floats();
    }
  }
}
