package dev.qnext.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.fixtures.ModelFolder;
import dev.qnext.fixtures.Packing;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.fixtures.TensorFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One test per sentence of Checkpoint and Quantization. */
class CheckpointErrorsTest {
  @TempDir Path folder;

  private Path file;
  private final Map<String, Object> config = new LinkedHashMap<>();
  private final Map<String, RawTensor> tensors = new LinkedHashMap<>();

  @BeforeEach
  void startSound() {
    file = folder.resolve("model.safetensors");
    tensors.put("w.weight", plain("BF16", 4, 64));
    new ModelFolder(config, tensors).write(folder);
    Checkpoint.open(folder).close();
  }

  private static RawTensor plain(String dtype, long... shape) {
    int count = 1;
    for (long size : shape) {
      count *= (int) size;
    }
    return dtype.startsWith("U") || dtype.startsWith("I")
        ? new RawTensor(dtype, shape, new byte[count * (dtype.endsWith("8") ? 1 : 4)])
        : RawTensor.of(dtype, new float[count], shape);
  }

  private void pack(String path, Packing packing, long... shape) {
    int count = 1;
    for (long size : shape) {
      count *= (int) size;
    }
    Packing.Packed packed = packing.pack(new float[count], shape);
    tensors.put(path + ".weight", packed.weight());
    tensors.put(path + ".scales", packed.scales());
    if (packed.biases() != null) {
      tensors.put(path + ".biases", packed.biases());
    }
  }

  private void assertOpenFails(String message) {
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(QnextException.class)
        .hasMessage(message);
  }

  private void assertFindFails(WeightSpec spec, String message) {
    new ModelFolder(config, tensors).write(folder);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThatThrownBy(() -> checkpoint.find(spec))
          .isInstanceOf(QnextException.class)
          .hasMessage(message);
    }
  }

  // ---------------------------------------------------------------------------------------- files

  @Test
  void noFolder() {
    Path none = folder.resolve("none");
    assertThatThrownBy(() -> Checkpoint.open(none))
        .isInstanceOf(QnextException.class)
        .hasMessage("there is no model folder %s; give the folder of a model".formatted(none));
    assertThatThrownBy(() -> Checkpoint.open(file))
        .isInstanceOf(QnextException.class)
        .hasMessage("there is no model folder %s; give the folder of a model".formatted(file));
  }

  @Test
  void noConfiguration() throws Exception {
    Files.delete(folder.resolve("config.json"));
    assertOpenFails(
        "%s is no model folder: it has no config.json; give another, or download the model again"
            .formatted(folder));
  }

  @Test
  void noWeights() throws Exception {
    Files.delete(file);
    assertOpenFails(
        "%s holds no model*.safetensors; the download is incomplete, so go on with it"
            .formatted(folder));
  }

  @Test
  void sameTensorInTwoFiles() {
    Path other = folder.resolve("model-2.safetensors");
    TensorFile.write(other, tensors);
    assertOpenFails(
        "w.weight is in both %s and %s; remove the file that is of another model"
            .formatted(other, file));
  }

  @Test
  void indexWithoutWeightMap() {
    Path index = folder.resolve("model.safetensors.index.json");
    for (String text : List.of("{}", "{\"weight_map\":{}}", "{\"weight_map\":[]}")) {
      TensorFile.write(index, text);
      assertOpenFails("%s lacks a \"weight_map\"; download it again".formatted(index));
    }
  }

  @Test
  void indexOfForeignFiles() {
    Path index = folder.resolve("model.safetensors.index.json");
    for (String name :
        List.of(
            "\"../model.safetensors\"",
            "\"/model.safetensors\"",
            "\"a/model.safetensors\"",
            "\"a\\\\model.safetensors\"",
            "\"model.safetensors/\"",
            "\"model.bin\"",
            "\"\"",
            "7",
            "null",
            "\"a\\u0000.safetensors\"",
            "\"a\\ud800.safetensors\"")) {
      TensorFile.write(index, "{\"weight_map\":{\"w.weight\":%s}}".formatted(name));
      assertThatThrownBy(() -> Checkpoint.open(folder))
          .describedAs(name)
          .isInstanceOf(QnextException.class)
          .hasMessageStartingWith("%s: \"weight_map\" names ".formatted(index))
          .hasMessageEndingWith(", which is no safetensors file of this folder; download it again");
    }
  }

  @Test
  void indexOfMissingFiles() {
    TensorFile.write(
        folder.resolve("model.safetensors.index.json"),
        "{\"weight_map\":{\"w.weight\":\"model-00001-of-00002.safetensors\"}}");
    assertOpenFails(
        "%s is named in model.safetensors.index.json but is not there; the download is incomplete, so go on with it"
            .formatted(folder.resolve("model-00001-of-00002.safetensors")));
  }

  @Test
  void foreignQuantizationMethod() {
    TensorFile.write(
        folder.resolve("config.json"),
        "{\"quantization_config\":{\"quant_method\":\"fp8\",\"bits\":8}}");
    assertOpenFails(
        "%s asks for the quantization method \"fp8\", which is not supported; use an MLX conversion or the bf16 weights"
            .formatted(folder.resolve("config.json")));
  }

  // ---------------------------------------------------------------------------------------- shapes

  @Test
  void missingTensor() {
    assertFindFails(
        WeightSpec.matrix("lm_head", 4, 64),
        "%s has no tensor lm_head.weight, which config.json asks for; download the model again"
            .formatted(folder));
    assertFindFails(
        WeightSpec.experts("l.mlp.switch_mlp.up_proj", 2_000_000_000, 4, 64),
        "%s has no tensor l.mlp.experts.0.up_proj.weight, which config.json asks for; download the model again"
            .formatted(folder));
    assertFindFails(
        WeightSpec.norm("norm", 4),
        "%s has no tensor norm.weight, which config.json asks for; download the model again"
            .formatted(folder));
    assertFindFails(
        WeightSpec.vector("A_log", 4),
        "%s has no tensor A_log.weight, which config.json asks for; download the model again"
            .formatted(folder));
  }

  @Test
  void wrongShape() {
    assertFindFails(
        WeightSpec.matrix("w", 8, 32),
        "w.weight in %s has the shape [4, 64] but config.json makes it [8, 32]; download both again"
            .formatted(file));
    assertFindFails(
        WeightSpec.experts("w", 4, 8, 8),
        "w.weight in %s has the shape [4, 64] but config.json makes it [4, 8, 8]; download both again"
            .formatted(file));
  }

  @Test
  void vectorThatIsNone() {
    tensors.put("norm.weight", plain("U32", 64));
    assertFindFails(
        WeightSpec.norm("norm", 64),
        "norm.weight in %s is U32 [64] but must hold 64 floating numbers; download it again"
            .formatted(file));
    tensors.put("A_log", plain("F32", 3));
    assertFindFails(
        WeightSpec.vector("A_log", 4),
        "A_log in %s is F32 [3] but must hold 4 floating numbers; download it again"
            .formatted(file));
  }

  @Test
  void bias() {
    tensors.put("w.bias", plain("BF16", 4));
    assertFindFails(
        WeightSpec.matrix("w", 4, 64),
        "w in %s has a bias, which is not supported".formatted(file));
  }

  @Test
  void plainWholeNumbers() {
    tensors.put("w.weight", plain("U32", 4, 64));
    assertFindFails(
        WeightSpec.matrix("w", 4, 64),
        "w.weight in %s is U32, but plain weights must be F32, F16 or BF16; use an MLX conversion or the bf16 weights"
            .formatted(file));
  }

  @Test
  void expertsOfDifferentFormats() {
    tensors.put("l.mlp.experts.0.up_proj.weight", plain("BF16", 4, 64));
    tensors.put("l.mlp.experts.1.up_proj.weight", plain("F32", 4, 64));
    assertFindFails(
        WeightSpec.experts("l.mlp.switch_mlp.up_proj", 2, 4, 64),
        "the experts of l.mlp.switch_mlp.up_proj have different formats, bf16 and f32, in %s"
            .formatted(folder));
  }

  // ---------------------------------------------------------------------------------- quantization

  private void assertQuantizedFails(@Nullable Object entry, String message) {
    if (entry != null) {
      config.put("quantization", Map.of("w", entry));
    }
    assertFindFails(WeightSpec.matrix("w", 4, 64), message);
  }

  @Test
  void quantizedByConfigurationAlone() {
    assertQuantizedFails(
        Map.of("bits", 4L, "group_size", 64L),
        "config.json says that w is quantized, but %s has no w.scales; download both again"
            .formatted(file));
  }

  @Test
  void unknownFormat() {
    List<RawTensor> scales =
        List.of(
            plain("BF16", 4, 4), // groups of 16
            plain("BF16", 4, 3),
            plain("BF16", 4, 0),
            plain("BF16"),
            plain("U8", 4, 1),
            plain("I32", 4, 1));
    for (RawTensor scale : scales) {
      pack("w", Packing.affine(4, 64), 4, 64);
      tensors.put("w.scales", scale);
      assertQuantizedFails(
          null,
          "w in %s has weights U32 [4, 8] and scales %s %s, which is no known format for 64 columns"
              .formatted(file, scale.dtype(), java.util.Arrays.toString(scale.shape())));
    }
    pack("w", Packing.affine(4, 64), 4, 64);
    tensors.put("w.weight", plain("U32", 4, 14)); // 7 bit
    assertQuantizedFails(
        null,
        "w in %s has weights U32 [4, 14] and scales BF16 [4, 1], which is no known format for 64 columns"
            .formatted(file));
    tensors.put("w.weight", plain("F32", 4, 8));
    assertQuantizedFails(
        null,
        "w in %s has weights F32 [4, 8] and scales BF16 [4, 1], which is no known format for 64 columns"
            .formatted(file));
  }

  @Test
  void unknownMode() {
    pack("w", Packing.affine(4, 64), 4, 64);
    config.put("quantization", Map.of("mode", "nf4"));
    new ModelFolder(config, tensors).write(folder);
    Path settings = folder.resolve("config.json");
    assertOpenFails(
        "%s: \"quantization.mode\" is \"nf4\" but must be affine, mxfp4, mxfp8 or nvfp4"
            .formatted(settings));
    config.put("quantization", Map.of("w", Map.of("mode", "nf4")));
    new ModelFolder(config, tensors).write(folder);
    assertOpenFails(
        "%s: \"quantization.w.mode\" is \"nf4\" but must be affine, mxfp4, mxfp8 or nvfp4"
            .formatted(settings));
  }

  @Test
  void contradiction() {
    pack("w", Packing.affine(4, 64), 4, 64);
    assertQuantizedFails(
        Map.of("bits", 8L, "group_size", 32L, "mode", "affine"),
        "config.json says that w is affine with 8 bits in groups of 32, but %s holds weights [4, 8] and scales [4, 1], which is 4 bit, groups of 64"
            .formatted(file));
    pack("w", new Packing("nvfp4", 4, 16, "U8"), 4, 64);
    assertQuantizedFails(
        Map.of("mode", "mxfp4"),
        "config.json says that w is mxfp4 with null bits in groups of null, but %s holds weights [4, 8] and scales [4, 4], which is nvfp4"
            .formatted(file));
  }

  @Test
  void biasesThatDoNotFit() {
    pack("w", Packing.affine(4, 64), 4, 64);
    tensors.put("w.biases", plain("F32", 4, 1));
    assertQuantizedFails(null, "w.biases in %s is F32 but its scales are BF16".formatted(file));
    tensors.put("w.biases", plain("BF16", 1, 4));
    assertQuantizedFails(
        null,
        "w.biases in %s has the shape [1, 4] but config.json makes it [4, 1]; download both again"
            .formatted(file));
    tensors.remove("w.biases");
    assertQuantizedFails(
        null,
        "%s has no tensor w.biases, which config.json asks for; download the model again"
            .formatted(folder));
  }

  @Test
  void scalesOfOtherRows() {
    pack("w", Packing.affine(4, 64), 4, 64);
    tensors.put("w.scales", plain("BF16", 5, 1));
    assertQuantizedFails(
        null,
        "w.scales in %s has the shape [5, 1] but config.json makes it [4, 1]; download both again"
            .formatted(file));
  }

  @Test
  void formatsHaveNames() {
    assertThat(Format.plain(DType.BF16)).hasToString("bf16");
    assertThat(new Format(Format.Mode.AFFINE, 3, 64, DType.BF16))
        .hasToString("3 bit, groups of 64");
    assertThat(new Format(Format.Mode.MXFP8, 8, 32, DType.U8)).hasToString("mxfp8");
  }
}
