package dev.qnext.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.ModelFolder;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.Packing;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.fixtures.TensorFile;
import dev.qnext.fixtures.TinyModel;
import dev.qnext.model.Mtp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The same weights, written in every way that a checkpoint may be written, give the same bits. */
public abstract class LayoutSuite extends BackendSuite {
  private static final Function<String, @Nullable Packing> PLAIN = path -> null;

  private int folders;

  private Path next() {
    return temporary.resolve("" + folders++);
  }

  private float[] logits(Path checkpoint) {
    try (ModelRun run = new ModelRun(backend(), checkpoint)) {
      float[] logits = run.logits(run.tokens(1, 20));
      for (float logit : logits) {
        assertThat(Float.isFinite(logit)).isTrue();
      }
      return logits;
    }
  }

  static IntStream shapes() {
    return IntStream.range(0, 12);
  }

  private static TinyModel random(int index) {
    return new TinyModel(ModelShape.random(index), index);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void publishedAndConverted(int index) {
    TinyModel model = random(index);
    Path published = model.published("BF16").write(next());
    Path converted = model.converted(PLAIN).write(next());
    try (Checkpoint a = Checkpoint.open(published);
        Checkpoint b = Checkpoint.open(converted)) {
      assertThat(a.converted()).isFalse();
      assertThat(b.converted()).isTrue();
    }
    assertSame("converted", logits(converted), logits(published));
  }

  @ParameterizedTest
  @ValueSource(strings = {"F32", "F16"})
  void plainTypes(String dtype) {
    TinyModel model = random(3);
    assertSame(
        dtype,
        logits(model.published(dtype).write(next())),
        logits(model.published("BF16").write(next())));
  }

  @Test
  void shardsAndUnalignedData() {
    TinyModel model = random(4);
    float[] expected = logits(model.published("BF16").write(next()));
    for (int phase = 1; phase < 8; phase++) {
      Path unaligned = model.published("BF16").write(next(), phase);
      assertSame("data at " + phase, logits(unaligned), expected);
    }
    for (int count : new int[] {1, 2, 5}) {
      Path sharded = model.published("BF16").writeShards(next(), count);
      assertSame(count + " shards", logits(sharded), expected);
    }
  }

  /** Files that the index does not name are left alone; without an index all are read. */
  @Test
  void theIndexDecidesWhichFilesAreRead() {
    TinyModel model = random(5);
    Path sharded = model.published("BF16").writeShards(next(), 2);
    float[] expected = logits(sharded);
    TensorFile.write(sharded.resolve("model-old.safetensors"), new byte[] {1, 2, 3});
    assertSame("with a stray file", logits(sharded), expected);
  }

  /** Quantized data are mostly of one byte, and may start anywhere too. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7})
  void unalignedQuantizedData(int phase) {
    TinyModel model = new TinyModel(ModelShape.quantizable(), 1);
    Packing packing = Packing.affine(3, 32);
    assertSame(
        "data at " + phase,
        logits(model.converted(path -> packing).write(next(), phase)),
        logits(model.converted(path -> packing).write(next())));
  }

  static Stream<Packing> packings() {
    return Packing.all().stream();
  }

  @ParameterizedTest
  @MethodSource("packings")
  void quantizedAndItsDequantizedNumbers(Packing packing) {
    needsExactProducts();
    TinyModel model = new TinyModel(ModelShape.quantizable(), 2);
    assertSame(
        packing.toString(),
        logits(model.converted(path -> packing).write(next())),
        logits(model.dequantized(path -> packing).write(next())));
  }

  /** As recipes do: 5 bit attention, 3 bit experts, 8 bit router, plain head. */
  private static @Nullable Packing mixed(String path) {
    if (path.equals("lm_head")) {
      return null;
    }
    if (path.endsWith(".mlp.gate") || path.endsWith(".shared_expert_gate")) {
      return Packing.affine(8, 64);
    }
    if (path.contains(".switch_mlp.")) {
      return path.endsWith(".down_proj")
          ? new Packing("mxfp4", 4, 32, "U8")
          : Packing.affine(3, 64);
    }
    return Packing.affine(5, 64);
  }

  @Test
  void everyModuleItsOwnFormat() {
    needsExactProducts();
    TinyModel model = new TinyModel(ModelShape.quantizable(), 3);
    Path mixed = model.converted(LayoutSuite::mixed).write(next());
    assertSame("mixed", logits(mixed), logits(model.dequantized(LayoutSuite::mixed).write(next())));
  }

  @Test
  void entriesMayBeMissingFalseOrUnderTheOldKey() {
    TinyModel model = new TinyModel(ModelShape.quantizable(), 4);
    float[] expected = logits(model.converted(LayoutSuite::mixed).write(next()));

    ModelFolder none = model.converted(LayoutSuite::mixed);
    none.config().remove("quantization");
    assertSame("no quantization at all", logits(none.write(next())), expected);

    ModelFolder topLevel = model.converted(LayoutSuite::mixed);
    topLevel.config().put("quantization", Map.of("bits", 4L, "group_size", 128L));
    assertSame("inferred, whatever the top level says", logits(topLevel.write(next())), expected);

    ModelFolder renamed = model.converted(LayoutSuite::mixed);
    renamed.config().put("quantization_config", renamed.config().remove("quantization"));
    assertSame("quantization_config", logits(renamed.write(next())), expected);

    ModelFolder withFalse = model.converted(LayoutSuite::mixed);
    Map<String, Object> entries = entries(withFalse);
    entries.put("lm_head", false);
    entries.put("group_size", 64L);
    withFalse.config().put("quantization", entries);
    assertSame("false", logits(withFalse.write(next())), expected);

    ModelFolder without = model.converted(LayoutSuite::mixed);
    Map<String, Object> modeless = entries(without);
    modeless.put("mode", "mxfp4");
    modeless.replaceAll((path, entry) -> withoutAffine(entry));
    without.config().put("quantization", modeless);
    assertSame("no mode means affine", logits(without.write(next())), expected);
  }

  private static Map<String, Object> entries(ModelFolder folder) {
    Map<String, Object> entries = new LinkedHashMap<>();
    ((Map<?, ?>) Objects.requireNonNull(folder.config().get("quantization")))
        .forEach((path, entry) -> entries.put((String) path, entry));
    return entries;
  }

  private static Object withoutAffine(Object entry) {
    if (!(entry instanceof Map<?, ?> map) || !"affine".equals(map.get("mode"))) {
      return entry;
    }
    Map<Object, Object> out = new LinkedHashMap<>(map);
    out.remove("mode");
    return out;
  }

  @Test
  void entriesThatContradictTheFileAreErrors() {
    TinyModel model = new TinyModel(ModelShape.quantizable(), 5);
    String path = "model.layers.0.mlp.shared_expert.up_proj";
    Packing packing = Packing.affine(4, 64);
    List<Map<String, Object>> wrong =
        List.of(
            Map.of("group_size", 64L, "bits", 8L),
            Map.of("group_size", 32L, "bits", 4L),
            Map.of("group_size", 64L, "bits", 4L, "mode", "mxfp4"));
    for (Map<String, Object> entry : wrong) {
      ModelFolder folder = model.converted(p -> p.equals(path) ? packing : null);
      folder.config().put("quantization", Map.of(path, entry));
      Path at = folder.write(next());
      assertThatThrownBy(() -> logits(at))
          .isInstanceOf(QnextException.class)
          .hasMessage(
              ("config.json says that %s is %s with %s bits in groups of %s, but %s holds weights"
                      + " [128, 16] and scales [128, 2], which is 4 bit, groups of 64")
                  .formatted(
                      path,
                      entry.getOrDefault("mode", "affine"),
                      entry.get("bits"),
                      entry.get("group_size"),
                      at.resolve("model.safetensors")));
    }
    ModelFolder folder = model.converted(p -> p.equals(path) ? packing : null);
    folder.config().put("quantization", Map.of(path, false));
    Path at = folder.write(next());
    assertThatThrownBy(() -> logits(at))
        .isInstanceOf(QnextException.class)
        .hasMessage(
            "%s.weight in %s is U32, but plain weights must be F32, F16 or BF16; use an MLX conversion or the bf16 weights"
                .formatted(path, at.resolve("model.safetensors")));
  }

  /** torch_dtype, interval, rope at the top; or dtype, layer_types, rope_parameters. */
  @ParameterizedTest
  @MethodSource("shapes")
  void bothStylesOfConfiguration(int index) {
    TinyModel model = random(index);
    ModelFolder older = model.published("BF16");
    older.config().put("rope_theta", 5000L);
    ModelFolder newer = model.published("BF16");
    Map<String, @Nullable Object> config = newer.config();
    config.remove("torch_dtype");
    config.put("dtype", "bfloat16");
    List<String> types = new ArrayList<>();
    for (int i = 0; i < model.shape().layers(); i++) {
      types.add(model.shape().fullAttention(i) ? "full_attention" : "linear_attention");
    }
    config.remove("full_attention_interval");
    config.put("layer_types", types);
    config.remove("rope_theta");
    config.remove("rope_scaling");
    Map<String, Object> rope = new LinkedHashMap<>();
    rope.put("rope_type", "default");
    rope.put("rope_theta", 5000.0);
    rope.put("partial_rotary_factor", config.remove("partial_rotary_factor"));
    config.put("rope_parameters", rope);
    float[] expected = logits(older.write(next()));
    assertSame("newer style", logits(newer.write(next())), expected);
    rope.put("partial_rotary_factor", model.shape().rotary() == 1 ? 0.5 : 1);
    assertThat(logits(newer.write(next())))
        .describedAs("another rotation shows")
        .isNotEqualTo(expected);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void mtpInsideAndBeside(int index) {
    TinyModel model = random(index);
    Path inside = model.published("BF16").write(next());
    Path beside = model.converted(PLAIN).write(next());
    TensorFile.write(
        beside.resolve("mtp.safetensors"),
        TensorFile.bytes(model.mtpFile(PLAIN), Map.of("format", "qnext-mtp-1"), 1));
    Path withPublished = model.published("BF16").write(next());
    ModelFolder stripped = model.published("BF16");
    stripped.tensors().keySet().removeIf(name -> name.startsWith("mtp."));
    stripped.write(withPublished);
    TensorFile.write(withPublished.resolve("mtp.safetensors"), model.mtpFile(PLAIN));
    float[] expected = mtpLogits(inside);
    assertSame("beside a conversion", mtpLogits(beside), expected);
    assertSame("beside the published", mtpLogits(withPublished), expected);
  }

  @Test
  void mtpMayBeQuantized() {
    needsExactProducts();
    TinyModel model = new TinyModel(ModelShape.quantizable(), 6);
    Path quantized = model.converted(PLAIN).write(next());
    Packing packing = Packing.affine(8, 64);
    TensorFile.write(quantized.resolve("mtp.safetensors"), model.mtpFile(path -> packing));
    Path plain = model.converted(PLAIN).write(next());
    Map<String, RawTensor> tensors = model.mtpFile(PLAIN);
    tensors.replaceAll((name, tensor) ->
        tensor.shape().length < 2 || name.contains("norm")
            ? tensor
            : RawTensor.f32(
                packing.pack(tensor.floats(), tensor.shape()).dequantized(), tensor.shape()));
    TensorFile.write(plain.resolve("mtp.safetensors"), tensors);
    assertSame("8 bit", mtpLogits(quantized), mtpLogits(plain));
  }

  private float[] mtpLogits(Path checkpoint) {
    try (ModelRun run = new ModelRun(backend(), checkpoint);
        Mtp mtp = Mtp.load(run.checkpoint, run.model);
        State main = run.newState();
        State state = run.backend.newState(mtp.stateShape(), 20)) {
      main.begin(Pass.PREFILL, 12);
      Tensor hidden = run.model.forward(run.backend.tokens(run.tokens(1, 12)), main);
      main.accept(12);
      state.begin(Pass.PREFILL, 12);
      Tensor z = mtp.forward(run.backend.tokens(run.tokens(2, 12)), hidden, state);
      state.accept(12);
      return run.floats(mtp.logits(z, Rows.all(z)));
    }
  }

  @Test
  void globalScaleIsRefusedRatherThanIgnored() throws IOException {
    Path source = Golden.path("random/mlx-nvfp4");
    Path folder = Files.createDirectories(next());
    Files.copy(source.resolve("config.json"), folder.resolve("config.json"));
    Map<String, RawTensor> tensors = TensorFile.read(source.resolve("model.safetensors"));
    String module = "model.layers.0.mlp.switch_mlp.up_proj";
    tensors.put(module + ".global_scale", RawTensor.f32(new float[] {1, 2, 3}, 3));
    TensorFile.write(folder.resolve("model.safetensors"), tensors);
    assertThatThrownBy(() -> logits(folder))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining(module)
        .hasMessageContaining("global scale");
  }
}
