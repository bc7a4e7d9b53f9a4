package dev.qnext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.backend.Sampling;
import dev.qnext.fixtures.Golden;
import dev.qnext.generate.Penalties;
import dev.qnext.generate.Request;
import dev.qnext.generate.Session;
import dev.qnext.json.Json;
import dev.qnext.mock.MockBackend;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Opening, closing, threads and memory. */
@Timeout(60)
class EngineTest {
  private static final Path MAPS = Path.of("/proc/self/maps");

  @TempDir private Path temp;

  private final MockBackend mock = new MockBackend(512);

  private static Engine open(MockBackend mock) {
    return Engine.openOn(Golden.path("tiny/hf"), () -> mock);
  }

  private static Request request(int maxTokens) {
    return new Request(new int[] {1, 2, 3}, maxTokens, new int[0], Sampling.GREEDY, Penalties.NONE);
  }

  private static List<Integer> read(Generation generation) throws InterruptedException {
    List<Integer> ids = new ArrayList<>();
    for (Generation.Token token; (token = generation.next()) != null; ) {
      ids.add(token.id());
    }
    return ids;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "tiny/hf",
        "tiny/mlx-4bit",
        "tiny/mlx-qx53n",
        "odd/hf",
        "odd/mlx-mxfp4",
        "yarn/mlx-3bit"
      })
  void goldenGreedyTokens(String name) throws InterruptedException {
    Path expected = Golden.path(name.replace("/", "/expected/") + ".json");
    Map<?, ?> greedy = (Map<?, ?>) ((Map<?, ?>) Json.read(expected, "expected")).get("greedy");
    int[] prompt =
        ((List<?>) greedy.get("prompt")).stream().mapToInt(i -> ((Long) i).intValue()).toArray();
    try (Engine engine = Engine.open(Golden.path(name), "reference")) {
      Session session = engine.newSession(engine.model().contextLimit());
      Request request = new Request(prompt, 48, new int[0], Sampling.GREEDY, Penalties.NONE);
      Generation generation = engine.generate(session, request, null);
      assertThat(read(generation).stream().map(Long::valueOf).toList())
          .isEqualTo(greedy.get("tokens"));
      // Once more in the same session, which starts anew.
      assertThat(read(engine.generate(session, request, null)).stream().map(Long::valueOf).toList())
          .isEqualTo(greedy.get("tokens"));
    }
  }

  @Test
  void closingFreesSessionsWeightsAndBackend() throws InterruptedException {
    Engine engine = open(mock);
    Session first = engine.newSession(100);
    engine.newSession(100);
    assertThat(read(engine.generate(first, request(5), null))).hasSize(5);
    assertThat(mock.openStates).isEqualTo(2);
    engine.close(first);
    engine.close(first);
    assertThat(mock.openStates).isEqualTo(1);
    engine.close();
    assertThat(mock.openStates).isZero();
    assertThat(mock.openWeights).isZero();
    assertThat(mock.closed).isTrue();
    engine.close();
    assertThatIllegalStateException()
        .isThrownBy(() -> engine.newSession(1))
        .withMessage("the engine is closed");
    assertThatIllegalStateException()
        .isThrownBy(() -> engine.generate(first, request(5), null))
        .withMessage("the engine is closed");
  }

  @Test
  void closingEndsWhatIsBeingGenerated() throws InterruptedException {
    Engine engine = open(mock);
    Session session = engine.newSession(1_000_000);
    Generation running = engine.generate(session, request(900_000), null);
    Generation waiting = engine.generate(session, request(900_000), null);
    assertThat(running.next()).isNotNull();
    engine.close();
    assertThat(mock.openStates).isZero();
    read(running);
    assertThat(running.result().end()).isEqualTo(dev.qnext.generate.Result.End.CANCELLED);
    assertThat(read(waiting)).isEmpty();
    assertThat(waiting.result().tokens()).isEmpty();
  }

  @Test
  void closingFreesEverythingThoughOneStepFails() {
    Engine engine = open(mock);
    engine.newSession(100);
    engine.call(model -> {
      mock.failClosingStates = true;
      return 0;
    });
    assertThatThrownBy(engine::close).hasMessage("made up");
    assertThat(mock.openWeights).isZero();
    assertThat(mock.closed).isTrue();
  }

  @Test
  void twoEnginesShareTheThread() throws InterruptedException {
    MockBackend other = new MockBackend(512);
    List<Thread> threads = new ArrayList<>();
    mock.beforeReading = length -> threads.add(Thread.currentThread());
    other.beforeReading = mock.beforeReading;
    try (Engine one = open(mock);
        Engine two = open(other)) {
      Generation first = one.generate(one.newSession(5000), request(4000), null);
      AtomicReference<List<Integer>> firstIds = new AtomicReference<>();
      Thread reader =
          Thread.ofVirtual()
              .start(() -> {
                try {
                  firstIds.set(read(first));
                } catch (InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              });
      List<Integer> secondIds = read(two.generate(two.newSession(5000), request(4000), null));
      reader.join();
      assertThat(firstIds.get()).hasSize(4000).isEqualTo(secondIds);
      two.close();
      assertThat(read(one.generate(one.newSession(100), request(10), null))).hasSize(10);
    }
    assertThat(threads).extracting(Thread::getName).containsOnly("qnext-engine");
    assertThat(threads.stream().distinct()).hasSize(1);
  }

  @Test
  void failuresOfWorkComeBackAsTheyAre() {
    try (Engine engine = open(mock)) {
      IllegalStateException failure = new IllegalStateException("made up");
      assertThatThrownBy(() ->
              engine.call(model -> {
                throw failure;
              }))
          .isSameAs(failure);
      StackOverflowError error = new StackOverflowError();
      assertThatThrownBy(() ->
              engine.call(model -> {
                throw error;
              }))
          .isSameAs(error);
      assertThat(engine.<Integer>call(model -> model.vocabularySize())).isEqualTo(512);
    }
  }

  @Test
  void namesItsBackends() {
    assertThat(Engine.backends()).contains("reference");
    assertThatExceptionOfType(QnextException.class)
        .isThrownBy(() -> Engine.open(Golden.path("tiny/hf"), "abacus"))
        .withMessage(
            "there is no backend \"abacus\"; valid backends are: auto, %s"
                .formatted(String.join(", ", Engine.backends())));
    try (Engine engine = Engine.open(Golden.path("tiny/hf"), null)) {
      assertThat(engine.backendName()).isEqualTo(Engine.backends().getFirst());
    }
  }

  // ------------------------------------------------------------------------- nothing is left open

  private Path copy(String name) throws IOException {
    Path folder = Files.createDirectory(temp.resolve("model-" + System.nanoTime()));
    try (DirectoryStream<Path> files = Files.newDirectoryStream(Golden.path(name))) {
      for (Path file : files) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
    return folder;
  }

  private static long mappings(Path folder) throws IOException {
    assumeTrue(Files.isReadable(MAPS), "the system does not list its memory maps");
    return Files.readAllLines(MAPS).stream().filter(l -> l.contains(folder.toString())).count();
  }

  @Test
  void closingUnmapsTheCheckpoint() throws IOException {
    Path folder = copy("tiny/hf");
    Engine engine = Engine.open(folder, "reference");
    assertThat(mappings(folder)).isPositive();
    engine.close();
    assertThat(mappings(folder)).isZero();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"model_type\": \"qwen3_next\" -> \"model_type\": \"qwen9\"",
        "\"num_hidden_layers\": 4 -> \"num_hidden_layers\": 9",
        "\"hidden_size\": 128 -> \"hidden_size\": 64",
        "\"num_key_value_heads\": 2 -> \"num_key_value_heads\": 3",
        "\"head_dim\": 32 -> \"head_dim\": \"many\"",
      })
  void aBrokenConfigLeavesNothingOpen(String change) throws IOException {
    Path folder = copy("tiny/hf");
    Path config = folder.resolve("config.json");
    String[] parts = change.split(" -> ", 2);
    String text = Files.readString(config);
    assertThat(text).contains(parts[0]);
    Files.writeString(config, text.replace(parts[0], parts[1]));
    assertThatExceptionOfType(QnextException.class)
        .isThrownBy(() -> Engine.open(folder, "reference"));
    assertThat(mappings(folder)).isZero();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "config.json",
        "model-00001-of-00003.safetensors",
        "model-00003-of-00003.safetensors"
      })
  void aFolderWithAFileMissingOrCutLeavesNothingOpen(String file) throws IOException {
    Path cut = copy("tiny/hf");
    byte[] bytes = Files.readAllBytes(cut.resolve(file));
    Files.write(cut.resolve(file), java.util.Arrays.copyOf(bytes, bytes.length / 2));
    Path without = copy("tiny/hf");
    Files.delete(without.resolve(file));
    for (Path folder : List.of(cut, without)) {
      assertThatExceptionOfType(QnextException.class)
          .isThrownBy(() -> Engine.open(folder, "reference"));
      assertThat(mappings(folder)).isZero();
    }
  }

  @Test
  void aModelThatCannotBeLoadedClosesItsBackend() throws IOException {
    Path folder = copy("tiny/hf");
    Path config = folder.resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("\"silu\"", "\"gelu\""));
    assertThatExceptionOfType(QnextException.class)
        .isThrownBy(() -> Engine.openOn(folder, () -> mock));
    assertThat(mock.closed).isTrue();
    assertThat(mock.openWeights).isZero();
    assertThat(mappings(folder)).isZero();
  }

  @Test
  void aBackendThatCannotBeOpenedLeavesNothingOpen() throws IOException {
    Path folder = copy("tiny/hf");
    assertThatThrownBy(() ->
            Engine.openOn(
                folder,
                () -> {
                  throw new QnextException("no such machine");
                }))
        .hasMessage("no such machine");
    assertThat(mappings(folder)).isZero();
  }

  // -------------------------------------------------------------------------------------- memory

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void memoryDoesNotGrowOverTenThousandTokens(boolean deferred) throws InterruptedException {
    mock.deferred = deferred;
    try (Engine engine = open(mock)) {
      Session session = engine.newSession(100_000);
      Generation generation = engine.generate(session, request(12_000), null);
      for (int i = 0; i < 2_000; i++) {
        generation.next();
      }
      mock.passes.clear();
      long before = used();
      for (int i = 0; i < 10_000; i++) {
        assertThat(generation.next()).isNotNull();
      }
      mock.passes.clear();
      // Session and result keep four bytes a token each; a row of logits is 2 KB.
      assertThat(used() - before).isLessThan(500_000);
      assertThat(mock.openTensors).describedAs("queue full or not").isLessThan(200);
      assertThat(generation.next()).isNull();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void memoryDoesNotGrowOverAThousandReplies(boolean deferred) throws InterruptedException {
    mock.deferred = deferred;
    try (Engine engine = open(mock)) {
      for (int i = 0; i < 200; i++) {
        reply(engine);
      }
      mock.passes.clear();
      long before = used();
      for (int i = 0; i < 1_000; i++) {
        reply(engine);
      }
      mock.passes.clear();
      // One reply that is not forgotten takes 600 bytes.
      assertThat(used() - before).isLessThan(200_000);
      assertThat(mock.openStates).isZero();
    }
  }

  private static void reply(Engine engine) throws InterruptedException {
    Session session = engine.newSession(2_000);
    assertThat(read(engine.generate(session, request(10), null))).hasSize(10);
    engine.close(session);
  }

  private static long used() throws InterruptedException {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 4; i++) {
      System.gc();
      Thread.sleep(10);
      Runtime runtime = Runtime.getRuntime();
      least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
    }
    return least;
  }
}
