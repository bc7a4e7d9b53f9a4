package dev.qnext.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import dev.qnext.model.LanguageModel;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whole checkpoints against those that mlx-lm made of the same source. */
class ConversionTest {
  @TempDir private Path temp;

  private static void convert(Path source, String recipe, Path target) {
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      Layout layout = LanguageModel.layout(checkpoint.config());
      Conversion plan = Conversion.plan(checkpoint, layout, Recipe.of(recipe));
      ConversionFiles.convert(plan, target, 2, (bytes, path) -> {});
    }
  }

  @ParameterizedTest
  @CsvSource({
    "tiny, 4bit",
    "tiny, qx53n",
    "odd, mxfp4",
    "yarn, bf16",
    "yarn, 3bit",
    "yarn, qx86n-hi",
  })
  void asMlxLmDoes(String profile, String recipe) throws IOException {
    Path hf = Golden.path(profile + "/hf");
    Path target = temp.resolve("converted");
    convert(hf, recipe, target);
    try (Checkpoint made = Checkpoint.open(target);
        Checkpoint golden = Checkpoint.open(Golden.path(profile + "/mlx-" + recipe));
        Checkpoint source = Checkpoint.open(hf)) {
      Map<String, StoredTensor> expected = new TreeMap<>(golden.tensors());
      Map<String, StoredTensor> mtp = new TreeMap<>(source.tensors());
      mtp.keySet().removeIf(name -> !name.startsWith("mtp."));
      expected.putAll(mtp);
      assertThat(new TreeMap<>(made.tensors()).keySet()).isEqualTo(expected.keySet());
      expected.forEach((name, tensor) -> {
        StoredTensor ours = java.util.Objects.requireNonNull(made.tensors().get(name));
        assertThat(ours.type()).describedAs(name).isEqualTo(tensor.type());
        assertThat(ours.shape()).describedAs(name).isEqualTo(tensor.shape());
        assertThat(ours.data().toArray(ValueLayout.JAVA_BYTE))
            .describedAs(name)
            .isEqualTo(tensor.data().toArray(ValueLayout.JAVA_BYTE));
      });
      for (WeightSpec spec : LanguageModel.layout(golden.config()).weights()) {
        assertThat(made.find(spec).format()).isEqualTo(golden.find(spec).format());
      }
    }
    assertThat(target.resolve("generation_config.json")).exists();
    // mlx-lm leaves A_log and dt_bias out of its count of parameters.
    assertThat(totalSize(target)).isEqualTo(totalSize(Golden.path(profile + "/mlx-" + recipe)));
    assertThat(temp.resolve("converted.partial")).doesNotExist();
  }

  private static @Nullable Object totalSize(Path folder) {
    Map<?, ?> index =
        (Map<?, ?>)
            java.util.Objects.requireNonNull(
                Json.read(folder.resolve("model.safetensors.index.json"), "index"));
    return ((Map<?, ?>) java.util.Objects.requireNonNull(index.get("metadata"))).get("total_size");
  }

  /** A conversion of a conversion to plain numbers and back loses nothing more. */
  @Test
  void aConvertedModelIsReadLikeAPublishedOne() {
    convert(Golden.path("yarn/hf"), "bf16", temp.resolve("plain"));
    convert(temp.resolve("plain"), "3bit", temp.resolve("quantized"));
    try (Checkpoint made = Checkpoint.open(temp.resolve("quantized"));
        Checkpoint golden = Checkpoint.open(Golden.path("yarn/mlx-3bit"))) {
      golden
          .tensors()
          .forEach((name, tensor) ->
              assertThat(
                      java.util.Objects.requireNonNull(made.tensors().get(name))
                          .data()
                          .toArray(ValueLayout.JAVA_BYTE))
                  .describedAs(name)
                  .isEqualTo(tensor.data().toArray(ValueLayout.JAVA_BYTE)));
      assertThat(made.tensors()).containsKey("mtp.fc.weight");
    }
  }

  @Test
  void aTargetThatIsThereOrInsideIsRefused() throws IOException {
    Path source = Golden.path("tiny/hf");
    assertThatThrownBy(() -> convert(source, "4bit", temp))
        .isInstanceOf(QnextException.class)
        .hasMessage(temp + " is there already; name a new folder");
    assertThatThrownBy(() -> convert(source, "4bit", source.resolve("x")))
        .isInstanceOf(QnextException.class)
        .hasMessageContaining(" lies inside the source ");
    assertThat(source.resolve("x")).doesNotExist();
  }

  @Test
  void numbersThatAreNoneAreNamedAndNothingIsLeft() throws IOException {
    Path source = Files.createDirectory(temp.resolve("damaged"));
    try (var files = Files.newDirectoryStream(Golden.path("tiny/hf"))) {
      for (Path file : files) {
        Files.copy(file, source.resolve(file.getFileName()));
      }
    }
    long at;
    Path file;
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      StoredTensor tensor =
          java.util.Objects.requireNonNull(
              checkpoint.tensors().get("model.layers.1.mlp.experts.3.up_proj.weight"));
      file = tensor.file();
      byte[] all = Files.readAllBytes(file);
      byte[] data = tensor.data().toArray(ValueLayout.JAVA_BYTE);
      at = java.util.Collections.indexOfSubList(bytes(all), bytes(data));
    }
    byte[] all = Files.readAllBytes(file);
    all[(int) at + 2 * 128 + 2 * 5] = (byte) 0x80;
    all[(int) at + 2 * 128 + 2 * 5 + 1] = 0x7F;
    Files.write(file, all);
    assertThatThrownBy(() -> convert(source, "4bit", temp.resolve("out")))
        .isInstanceOf(QnextException.class)
        .hasMessage(
            "model.layers.1.mlp.switch_mlp.up_proj holds Infinity at expert 3, row 1, column 5: the source is damaged; download it again");
    assertThat(temp.resolve("out")).doesNotExist();
    assertThat(temp.resolve("out.partial")).doesNotExist();
  }

  private static java.util.List<Byte> bytes(byte[] array) {
    java.util.List<Byte> list = new java.util.ArrayList<>();
    for (byte b : array) {
      list.add(b);
    }
    return list;
  }
}
