package dev.qnext.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.Config;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.TextFolder;
import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelsTest {
  @TempDir private Path home;

  private final Map<String, String> environment = new HashMap<>();

  @BeforeEach
  void setHome() throws IOException {
    home = home.toRealPath();
    environment.put("HOME", home.toString());
  }

  private Models models() {
    return new Models(environment::get, home.resolve("program/models/demo"));
  }

  private List<String> names() {
    return models().all().stream().map(Models.Named::name).toList();
  }

  private Path model(String folder) throws IOException {
    Path made = Files.createDirectories(home.resolve(folder));
    Files.writeString(made.resolve("config.json"), "{}");
    return made;
  }

  /** As huggingface_hub lays its cache out. */
  private Path cached(Path hub, String repository, String commit) throws IOException {
    Path folder = hub.resolve(repository);
    Path blob = Files.createDirectories(folder.resolve("blobs")).resolve("0a1b");
    Files.writeString(blob, "{}");
    Path snapshot = Files.createDirectories(folder.resolve("snapshots").resolve(commit));
    Files.createSymbolicLink(snapshot.resolve("config.json"), Path.of("../../blobs/0a1b"));
    return snapshot;
  }

  private void pointMain(Path hub, String repository, String commit) throws IOException {
    Path refs = Files.createDirectories(hub.resolve(repository).resolve("refs"));
    Files.writeString(refs.resolve("main"), commit);
  }

  @Test
  void placesInOrder() throws IOException {
    Path hub = home.resolve(".cache/huggingface/hub");
    cached(hub, "models--org--Old-4bit", "aaa");
    Path current = cached(hub, "models--org--Old-4bit", "bbb");
    pointMain(hub, "models--org--Old-4bit", "bbb");
    cached(hub, "models--alone", "ccc");
    cached(hub, "models--org--Unclear", "ddd");
    cached(hub, "models--org--Unclear", "eee");
    cached(hub, "models--org--Gone", "fff");
    pointMain(hub, "models--org--Gone", "abc");
    Files.createDirectories(hub.resolve("datasets--org--Data/snapshots/a"));
    model("models/one");
    model("models/lmstudio/two");
    model("models/lmstudio/deep/three");
    Files.createDirectories(home.resolve("models/empty"));
    model("extra/four");
    Path demo = model("program/models/demo");
    environment.put("QNEXT_MODELS", home.resolve("extra") + ":/nowhere::~/models");
    assertThat(names())
        .containsExactly("four", "lmstudio/two", "one", "alone", "org/Old-4bit", "demo");
    assertThat(models().find("org/old-4BIT").folder()).isEqualTo(current);
    assertThat(models().find("demo").folder()).isEqualTo(demo);
    assertThat(models().find("TWO").name()).isEqualTo("lmstudio/two");
  }

  @Test
  void placesOfTheHub() throws IOException {
    cached(home.resolve("a"), "models--x--A", "1");
    cached(home.resolve("b/hub"), "models--x--B", "1");
    cached(home.resolve("c/huggingface/hub"), "models--x--C", "1");
    environment.put("XDG_CACHE_HOME", home.resolve("c").toString());
    assertThat(names()).containsExactly("x/C");
    environment.put("HF_HOME", "~/b");
    assertThat(names()).containsExactly("x/B");
    environment.put("HF_HUB_CACHE", home.resolve("a").toString());
    assertThat(names()).containsExactly("x/A");
  }

  @Test
  void aFolderHasOneName() throws IOException {
    Path one = model("models/one");
    Files.createSymbolicLink(home.resolve("models/two"), one);
    environment.put("QNEXT_MODELS", home.resolve("models").toString());
    assertThat(names()).containsExactly("one");
  }

  @Test
  void pathsComeFirst() throws IOException {
    Path folder = model("elsewhere/here");
    assertThat(models().find("~/elsewhere/here").folder()).isEqualTo(folder);
    assertThat(models().find(folder.toString()))
        .isEqualTo(new Models.Named(folder.toString(), folder));
    // Of a file too: tokens needs no more than tokenizer.json.
    assertThat(models().find(folder.resolve("config.json").toString()).folder()).isRegularFile();
    for (String path : new String[] {"/none", "./none", "../none", "~/none"}) {
      assertThatThrownBy(() -> models().find(path))
          .isInstanceOf(QnextException.class)
          .hasMessage("there is no model folder " + path.replace("~", home.toString()));
    }
    assertThatThrownBy(() -> models().find("a\0b")).isInstanceOf(QnextException.class);
  }

  @Test
  void namesThatAreNotClear() throws IOException {
    model("models/a/Same");
    model("models/b/same");
    assertThatThrownBy(() -> models().find("SAME"))
        .hasMessage("SAME may be a/Same or b/same; give the whole name");
    assertThat(models().find("b/Same").name()).isEqualTo("b/same");
  }

  @Test
  void theNearestNames() throws IOException {
    TextFolder.make(home.resolve("models/org/Tiny-4bit"));
    TextFolder.make(home.resolve("models/org/Odd"));
    model("models/org/Tinny");
    assertThatThrownBy(() -> models().find("tiny"))
        .hasMessage(
            "there is no model tiny, neither a folder nor a name that 'qnext list' shows; the nearest:"
                + " org/Tiny-4bit, org/Odd");
  }

  @Test
  void onlyWholeModelsOfThisArchitecture() throws IOException {
    Path folder = Files.createDirectories(home.resolve("models/half"));
    for (String file : new String[] {"config.json", "model.safetensors.index.json"}) {
      Files.copy(Golden.path("tiny/hf").resolve(file), folder.resolve(file));
    }
    Models.Named half = models().find("half");
    assertThatThrownBy(() -> RunnableModel.of(half))
        .hasMessageContaining("is not there; the download is incomplete");
    Files.writeString(
        folder.resolve("config.json"),
        "{\"model_type\": \"qwen3_next\", \"quantization_config\": {\"quant_method\": \"fp8\"}}");
    assertThatThrownBy(() -> RunnableModel.of(half)).hasMessageContaining("\"fp8\"");
    for (String text : new String[] {"{", "[]", "{\"model_type\": 5}", "{\"model_type\": \"x\"}"}) {
      Files.writeString(folder.resolve("config.json"), text);
      assertThat(RunnableModel.of(half)).isNull();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "tiny/hf, bf16",
    "yarn/mlx-bf16, bf16",
    "tiny/mlx-4bit, 4 bit",
    "yarn/mlx-3bit, 3 bit",
    "tiny/mlx-qx53n, 3-5 bit",
    "yarn/mlx-qx86n-hi, 6-8 bit",
    "odd/mlx-mxfp4, mxfp4",
    "random/mlx-nvfp4, nvfp4"
  })
  void formats(String checkpoint, String format) {
    Path config = Golden.path(checkpoint).resolve("config.json");
    assertThat(RunnableModel.format(Config.read(config))).isEqualTo(format);
  }

  @Test
  void facts() throws IOException {
    Path folder = Golden.path("tiny/mlx-4bit");
    long bytes = 0;
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        bytes += Files.size(file);
      }
    }
    assertThat(RunnableModel.of(new Models.Named("x", folder)))
        .isEqualTo(new RunnableModel("x", folder, "4 bit", bytes));
    Object config =
        Json.parse("{\"quantization\": {\"bits\": 4, \"a\": {\"mode\": \"mxfp8\"}}}", "");
    assertThat(RunnableModel.format(Config.of(folder, config))).isEqualTo("4 bit + mxfp8");
  }
}
