package dev.qnext.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.QnextException;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.checkpoint.RowDecoder;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.model.LanguageModel;
import dev.qnext.quantize.Recipe;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Made-up checkpoints: of the shape and formats that were asked for, with numbers that behave. */
class SyntheticModelTest {
  private static final Config SMALL =
      Config.of(Path.of("small", "config.json"), ModelShape.quantizable().config());

  private static Checkpoint make(Config config, String recipe, long seed) {
    return new SyntheticModel(config, Recipe.of(recipe)).make(Arena.ofShared(), seed);
  }

  private static List<StoredWeight> weights(Checkpoint checkpoint) {
    List<StoredWeight> weights = new ArrayList<>();
    for (WeightSpec spec : LanguageModel.layout(checkpoint.config()).weights()) {
      weights.add(checkpoint.find(spec));
    }
    return weights;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "qx53n",
        "qx86n-hi",
        "qx42",
        "2bit",
        "3bit",
        "4bit",
        "5bit",
        "6bit",
        "8bit",
        "mxfp4",
        "mxfp8",
        "nvfp4",
        "bf16"
      })
  void weightsHaveTheFormatOfTheRecipeAndTheSizeOfTheirRow(String name) {
    Recipe recipe = Recipe.of(name);
    try (Checkpoint checkpoint = make(SMALL, name, 1)) {
      assertThat(checkpoint.converted()).isTrue();
      for (StoredWeight weight : weights(checkpoint)) {
        WeightSpec spec = weight.spec();
        assertThat(weight.format()).describedAs(spec.path()).isEqualTo(recipe.format(spec.path()));
        if (spec.kind() == WeightSpec.Kind.MATRIX || spec.kind() == WeightSpec.Kind.EXPERTS) {
          assertRandom(weight);
        } else if (spec.kind() == WeightSpec.Kind.NORM) {
          assertThat(weight.floats()).containsOnly(1f);
        }
      }
    }
  }

  /** Mean 0 and deviation 1 / sqrt(K), and no two rows alike. */
  private static void assertRandom(StoredWeight weight) {
    WeightSpec spec = weight.spec();
    RowDecoder decoder = new RowDecoder(weight);
    double sum = 0;
    double squares = 0;
    float[] before = new float[spec.columns()];
    for (int e = 0; e < spec.experts(); e++) {
      for (int r = 0; r < spec.rows(); r++) {
        float[] row = new float[spec.columns()];
        decoder.decode(e, r, row);
        assertThat(row).isNotEqualTo(before);
        before = row;
        for (float w : row) {
          sum += w;
          squares += (double) w * w;
        }
      }
    }
    double count = (double) spec.experts() * spec.rows() * spec.columns();
    double rms = Math.sqrt(squares / count * spec.columns());
    assertThat(rms).describedAs("size of " + spec.path()).isBetween(0.65, 1.5);
    if (spec.rows() > 16) {
      assertThat(Math.abs(sum / count) * Math.sqrt(spec.columns()))
          .describedAs("mean of " + spec.path())
          .isLessThan(0.1);
    }
  }

  @Test
  void theSeedDecides() {
    try (Checkpoint one = make(SMALL, "qx53n", 1);
        Checkpoint same = make(SMALL, "qx53n", 1);
        Checkpoint other = make(SMALL, "qx53n", 2)) {
      for (String name : List.of("model.embed_tokens.weight", "lm_head.scales")) {
        MemorySegment data = one.tensors().get(name).data();
        assertThat(data.mismatch(same.tensors().get(name).data())).isEqualTo(-1);
        assertThat(data.mismatch(other.tensors().get(name).data())).isNotNegative();
      }
      assertThat(
              one.tensors()
                  .get("lm_head.weight")
                  .data()
                  .mismatch(one.tensors().get("model.embed_tokens.weight").data()))
          .isNotNegative();
    }
  }

  @Test
  void liesInOneBlockFromAWholeHugePageOn() {
    SyntheticModel model = new SyntheticModel(SMALL, Recipe.of("3bit"));
    try (Checkpoint checkpoint = model.make(Arena.ofShared(), 1)) {
      long least = Long.MAX_VALUE;
      long end = 0;
      for (var tensor : checkpoint.tensors().values()) {
        long address = tensor.data().address();
        assertThat(address % (16 << 10)).isZero();
        least = Math.min(least, address);
        end = Math.max(end, address + tensor.data().byteSize());
      }
      assertThat(least % (2 << 20)).isZero();
      assertThat(end - least).isLessThanOrEqualTo(model.bytes());
      assertThat(checkpoint.bytes()).isLessThanOrEqualTo(end - least);
    }
  }

  /** Numbers neither fade nor explode on their way through the layers. */
  @ParameterizedTest
  @ValueSource(strings = {"qx53n", "mxfp8", "nvfp4", "bf16"})
  void activationsStayTame(String recipe) {
    try (Checkpoint checkpoint = make(SMALL, recipe, 1);
        ReferenceBackend backend = new ReferenceBackend();
        LanguageModel model = LanguageModel.load(checkpoint, backend);
        State state = backend.newState(model.stateShape(), 100)) {
      state.begin(Pass.PREFILL, 64);
      int[] ids = new int[64];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = i * 7 % model.vocabularySize();
      }
      Tensor hidden = model.forward(backend.tokens(ids), state);
      Tensor logits = model.logits(hidden, Rows.all(hidden));
      state.accept(64);
      float[] values = new float[logits.rows() * logits.columns()];
      backend.readFloats(logits, MemorySegment.ofArray(values));
      double squares = 0;
      for (float value : values) {
        squares += (double) value * value;
      }
      assertThat(Math.sqrt(squares / values.length)).isBetween(0.3, 3.0);
    }
  }

  /** config.json as published; it is read from beside the project where that is there. */
  @Test
  void theShapeIsThePublishedOne() {
    Path published = Golden.shared("config/Qwen3-Next-80B-A3B-Instruct/config.json");
    assumeTrue(Files.exists(published), "no third-party config.json here");
    assertThat(LanguageModel.layout(SyntheticShape.of("qwen3-next-80b", 0, 0)))
        .isEqualTo(LanguageModel.layout(Config.read(published)));
  }

  @Test
  void expertsAndLayersCanBeFewer() {
    Config config = SyntheticShape.of("qwen3-next-80b", 16, 4);
    assertThat(config.size("num_experts")).isEqualTo(16);
    assertThat(config.size("num_hidden_layers")).isEqualTo(4);
    // Two tables at 4.5 bits; 4 layers of attention, experts and gates.
    long bytes = new SyntheticModel(config, Recipe.of("4bit")).bytes();
    assertThat(bytes).isBetween(500_000_000L, 620_000_000L);
  }

  @ParameterizedTest
  @CsvSource({
    "qwen3, 0, 0, 'no shape is known by the name \"qwen3\"; known: qwen3-next-80b'",
    "qwen3-next-80b, 9, 0, 'qwen3-next-80b cannot have num_experts 9; it must be from 10 to 512'",
    "qwen3-next-80b, 513, 0, 'qwen3-next-80b cannot have num_experts 513; it must be from 10 to 512'",
    "qwen3-next-80b, 0, 49, 'qwen3-next-80b cannot have num_hidden_layers 49; it must be from 1 to 48'",
    "qwen3-next-80b, 0, -1, 'qwen3-next-80b cannot have num_hidden_layers -1; it must be from 1 to 48'",
  })
  void whatDoesNotFitIsRefused(String name, int experts, int layers, String message) {
    assertThatThrownBy(() -> SyntheticShape.of(name, experts, layers))
        .isInstanceOf(QnextException.class)
        .hasMessage(message);
  }

  @Test
  void closingFreesTheBlock() {
    Checkpoint checkpoint = make(SMALL, "4bit", 1);
    MemorySegment data = checkpoint.tensors().get("lm_head.weight").data();
    checkpoint.close();
    assertThatThrownBy(() -> data.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
  }
}
