package dev.qnext;

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
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import dev.qnext.model.LanguageModel;
import dev.qnext.model.Mtp;
import dev.qnext.text.ChatTemplate;
import dev.qnext.text.Tokenizer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The bundled model, text to tokens, against transformers on its dequantized weights; its MTP
 * module against scripts/demo-model/model.py (scripts/demo-model/golden.py made the data).
 */
class DemoModelTest {
  private static final Path FOLDER = Golden.repository().resolve("models/demo");
  private static final Map<?, ?> EXPECTED =
      (Map<?, ?>) Json.read(Golden.path("demo/expected.json"), "expected results");

  private static final Backend BACKEND = new ReferenceBackend();
  private static Checkpoint checkpoint;
  private static LanguageModel model;
  private static Mtp mtp;

  @BeforeAll
  static void load() {
    checkpoint = Checkpoint.open(FOLDER);
    model = LanguageModel.load(checkpoint, BACKEND);
    mtp = Mtp.load(checkpoint, model);
  }

  @AfterAll
  static void close() {
    mtp.close();
    model.close();
    checkpoint.close();
  }

  @Test
  void templateAndTokenizer() {
    Tokenizer tokenizer = Tokenizer.load(FOLDER);
    ChatTemplate template = ChatTemplate.load(FOLDER);
    for (Map<?, ?> prompt : prompts()) {
      @SuppressWarnings("unchecked")
      List<Map<String, Object>> messages = (List<Map<String, Object>>) prompt.get("messages");
      String text = template.apply(List.copyOf(messages), null, true, Map.of());
      assertThat(text).isEqualTo(prompt.get("text"));
      assertThat(tokenizer.encode(text)).isEqualTo(ids(prompt.get("ids")));
      assertThat(tokenizer.decode(ids(prompt.get("greedy")))).isEqualTo(prompt.get("greedy_text"));
    }
    for (String line : Golden.lines(Golden.path("demo/tokenizer_cases.jsonl"))) {
      Map<?, ?> given = (Map<?, ?>) Json.parse(line, "case");
      String text = (String) given.get("text");
      assertThat(tokenizer.encode(text)).describedAs(text).isEqualTo(ids(given.get("ids")));
    }
  }

  @Test
  void argmaxAndGreedyTokens() {
    for (Map<?, ?> prompt : prompts()) {
      int[] given = ids(prompt.get("ids"));
      int[] greedy = ids(prompt.get("greedy"));
      try (State state = BACKEND.newState(model.stateShape(), 200)) {
        Tensor hidden = read(given, state);
        assertThat(argmax(model.logits(hidden, Rows.all(hidden))))
            .isEqualTo(ids(prompt.get("argmax")));
        int[] tokens = new int[greedy.length];
        for (int i = 0; i < tokens.length; i++) {
          tokens[i] = argmax(model.logits(hidden, Rows.last(hidden)))[0];
          hidden = read(new int[] {tokens[i]}, state);
        }
        assertThat(tokens).isEqualTo(greedy);
      }
    }
  }

  @Test
  void mtpPredictsTheTokenAfterNext() {
    for (Map<?, ?> prompt : prompts()) {
      int[] all = concat(ids(prompt.get("ids")), ids(prompt.get("greedy")));
      assertThat(argmax(draft(all))).isEqualTo(ids(prompt.get("mtp_argmax")));
    }
  }

  @Test
  void logits() {
    int[] given = ids(EXPECTED.get("logits_ids"));
    Safetensors expected =
        Safetensors.open(Golden.path("demo/expected.safetensors"), Arena.ofAuto());
    try (State state = BACKEND.newState(model.stateShape(), 200)) {
      Tensor hidden = read(given, state);
      assertClose(
          model.logits(hidden, Rows.all(hidden)), expected.tensors().get("logits").floats());
    }
    assertClose(draft(given), expected.tensors().get("mtp_logits").floats());
  }

  private static Tensor read(int[] ids, State state) {
    state.begin(Pass.PREFILL, ids.length);
    Tensor hidden = model.forward(BACKEND.tokens(ids), state);
    state.accept(ids.length);
    return hidden;
  }

  /** MTP logits at every position that has a next token. */
  private static Tensor draft(int[] ids) {
    int pairs = ids.length - 1;
    try (State state = BACKEND.newState(model.stateShape(), 200);
        State mtpState = BACKEND.newState(mtp.stateShape(), 200)) {
      Tensor hidden = BACKEND.rows(read(ids, state), new Rows(0, pairs));
      mtpState.begin(Pass.PREFILL, pairs);
      Tensor z =
          mtp.forward(BACKEND.tokens(Arrays.copyOfRange(ids, 1, ids.length)), hidden, mtpState);
      mtpState.accept(pairs);
      return mtp.logits(z, Rows.all(z));
    }
  }

  private static float[] floats(Tensor tensor) {
    float[] out = new float[tensor.rows() * tensor.columns()];
    BACKEND.readFloats(tensor, MemorySegment.ofArray(out));
    return out;
  }

  private static int[] argmax(Tensor logits) {
    float[] all = floats(logits);
    int width = logits.columns();
    int[] best = new int[logits.rows()];
    for (int t = 0; t < best.length; t++) {
      best[t] = Sampling.argmax(Arrays.copyOfRange(all, t * width, (t + 1) * width));
    }
    return best;
  }

  private static void assertClose(Tensor actual, float[] expected) {
    float[] values = floats(actual);
    assertThat(values).hasSameSizeAs(expected);
    float worst = 0;
    for (int i = 0; i < expected.length; i++) {
      worst = Math.max(worst, Math.abs(values[i] - expected[i]));
    }
    assertThat(worst).describedAs("largest difference").isLessThan(1e-3f);
  }

  private static int[] concat(int[] a, int[] b) {
    int[] out = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, out, a.length, b.length);
    return out;
  }

  private static List<Map<?, ?>> prompts() {
    return ((List<?>) EXPECTED.get("prompts")).stream().<Map<?, ?>>map(p -> (Map<?, ?>) p).toList();
  }

  private static int[] ids(Object list) {
    return ((List<?>) list).stream().mapToInt(id -> (int) (long) (Long) id).toArray();
  }
}
