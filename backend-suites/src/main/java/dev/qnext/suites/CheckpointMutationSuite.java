package dev.qnext.suites;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.Mutator;
import dev.qnext.fixtures.PlainJson;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.fixtures.TensorFile;
import dev.qnext.model.LanguageModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Broken and hostile checkpoints: opening, binding and a forward pass on the backend give a result,
 * or a sentence for the person at the terminal; never another exception, a hang, or memory for
 * sizes that the files do not hold. Mutants are of golden files, by seed.
 */
@Timeout(value = 900, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
public abstract class CheckpointMutationSuite extends BackendSuite {
  /** Of bytes, and as many of structure. */
  private static final int MUTANTS = Mutator.count() / 2;

  /** Nanoseconds of processor time; a sound one takes a hundredth of this. */
  private static final long MOST_TIME = 2_000_000_000;

  /** A sound one takes a tenth of this. */
  private static final long MOST_MEMORY = 32 << 20;

  private Path folder = Path.of("");
  private int accepted;
  private int refused;
  private long slowest;

  private static void copy(String golden, Path folder) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(Golden.path(golden))) {
      for (Path file : files) {
        Files.write(folder.resolve(file.getFileName()), Files.readAllBytes(file));
      }
    }
  }

  @BeforeEach
  void warmUp() {
    folder = temporary;
    // Class loading allocates too.
    read(Golden.path("yarn/mlx-3bit"));
  }

  private void read(Path folder) {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Backend backend = backend();
        LanguageModel model = LanguageModel.load(checkpoint, backend);
        State state = backend.newState(model.stateShape(), 8)) {
      state.begin(Pass.PREFILL, 3);
      Tensor hidden = model.forward(backend.tokens(new int[] {0, 1, 2}), state);
      state.accept(3);
      Tensor logits = model.logits(hidden, Rows.all(hidden));
      assertThat(logits.columns()).isEqualTo(model.vocabularySize());
      assertThat(model.contextLimit()).isPositive();
    }
  }

  private void check(String mutant) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    long start = threads.getCurrentThreadCpuTime();
    try {
      read(folder);
      accepted++;
    } catch (QnextException e) {
      refused++;
      assertThat(e.getMessage()).describedAs(mutant).isNotBlank().hasSizeLessThan(2000);
    } catch (Throwable e) {
      throw new AssertionError(mutant, e);
    }
    assertThat(threads.getCurrentThreadAllocatedBytes() - before)
        .describedAs("bytes allocated for %s", mutant)
        .isLessThan(MOST_MEMORY);
    long time = threads.getCurrentThreadCpuTime() - start;
    assertThat(time).describedAs("time of %s", mutant).isLessThan(MOST_TIME);
    slowest = Math.max(slowest, time);
  }

  private void report(String what) {
    System.out.printf(
        "%s: %d mutants accepted, %d refused, %d ms at most%n",
        what, accepted, refused, slowest / 1_000_000);
    assertThat(accepted).isGreaterThan(MUTANTS / 100);
    assertThat(refused).isGreaterThan(MUTANTS / 20);
  }

  @Test
  void safetensorsHeader() throws IOException {
    copy("yarn/mlx-3bit", folder);
    Path file = folder.resolve("model.safetensors");
    byte[] whole = Files.readAllBytes(file);
    int end = 8 + (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong();
    byte[] header = Arrays.copyOf(whole, end);
    Object json = PlainJson.parse(new String(header, 8, end - 8, StandardCharsets.UTF_8));
    for (int seed = 0; seed < MUTANTS; seed++) {
      byte[] mutant = new Mutator(seed).bytes(header);
      write(file, mutant, whole, end);
      check("header bytes, seed " + seed);
      byte[] text = PlainJson.write(new Mutator(seed).json(json)).getBytes(StandardCharsets.UTF_8);
      byte[] length =
          ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(text.length).array();
      write(file, concat(length, text, text.length), whole, end);
      check("header structure, seed " + seed);
    }
    report("safetensors header");
  }

  private static void write(Path file, byte[] header, byte[] whole, int from) {
    byte[] data = Arrays.copyOfRange(whole, from, whole.length);
    TensorFile.write(file, concat(header, data, data.length));
  }

  private static byte[] concat(byte[] a, byte[] b, int count) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(a);
    out.write(b, 0, count);
    return out.toByteArray();
  }

  @Test
  void configuration() throws IOException {
    copy("yarn/mlx-3bit", folder);
    mutate("config.json", MUTANTS);
  }

  @Test
  void publishedConfiguration() throws IOException {
    copy("yarn/hf", folder);
    mutate("config.json", MUTANTS);
  }

  @Test
  void index() throws IOException {
    copy("yarn/hf", folder);
    mutate("model.safetensors.index.json", MUTANTS);
  }

  @Test
  void generationConfiguration() throws IOException {
    copy("yarn/hf", folder);
    mutate("generation_config.json", MUTANTS / 5);
  }

  /** Random changes seldom meet the few sizes that arrays are made of: each key gets each value. */
  @Test
  void everyKeyOfTheConfiguration() throws IOException {
    for (String golden : List.of("yarn/hf", "odd/mlx-mxfp4")) {
      copy(golden, folder);
      Path file = folder.resolve("config.json");
      Map<?, ?> config = (Map<?, ?>) Objects.requireNonNull(PlainJson.read(file));
      for (Object key : config.keySet()) {
        write(file, config, key, null);
        check("\"%s\": null".formatted(key));
        for (Object value : Mutator.TELLING_VALUES) {
          write(file, config, key, value);
          check("\"%s\": %s".formatted(key, PlainJson.write(value)));
        }
        if (config.get(key) instanceof Map<?, ?> inner) {
          for (Object innerKey : inner.keySet()) {
            for (Object value : Mutator.TELLING_VALUES) {
              Map<Object, Object> changed = new LinkedHashMap<>(inner);
              changed.put(innerKey, value);
              write(file, config, key, changed);
              check("\"%s.%s\": %s".formatted(key, innerKey, PlainJson.write(value)));
            }
          }
        }
      }
    }
    report("every key of config.json");
  }

  private static void write(Path file, Map<?, ?> config, Object key, @Nullable Object value) {
    Map<Object, @Nullable Object> changed = new LinkedHashMap<>(config);
    changed.put(key, value);
    TensorFile.write(file, PlainJson.write(changed));
  }

  /** Entries that are sound in themselves, but not what the model needs. */
  @Test
  void everyShapeAndTypeOfEveryTensor() throws IOException {
    copy("yarn/mlx-3bit", folder);
    Path file = folder.resolve("model.safetensors");
    Map<String, RawTensor> tensors = TensorFile.read(file);
    for (String name : tensors.keySet()) {
      if (name.contains(".layers.1.") || name.contains(".layers.2.")) {
        continue; // like layer 0
      }
      RawTensor tensor = tensors.get(name);
      for (RawTensor wrong : wrong(tensor)) {
        Map<String, RawTensor> changed = new LinkedHashMap<>(tensors);
        changed.put(name, wrong);
        TensorFile.write(file, changed);
        check("%s %s %s".formatted(name, wrong.dtype(), Arrays.toString(wrong.shape())));
      }
      Map<String, RawTensor> without = new LinkedHashMap<>(tensors);
      without.remove(name);
      TensorFile.write(file, without);
      check("without " + name);
    }
    report("every tensor");
  }

  private static List<RawTensor> wrong(RawTensor tensor) {
    List<RawTensor> wrong = new ArrayList<>();
    long[] shape = tensor.shape();
    int bytes = tensor.data().length;
    for (String dtype : List.of("U8", "BF16", "F32", "I64", "BOOL")) {
      int size =
          switch (dtype) {
            case "I64" -> 8;
            case "F32" -> 4;
            case "BF16" -> 2;
            default -> 1;
          };
      wrong.add(new RawTensor(dtype, new long[] {}, Arrays.copyOf(tensor.data(), size)));
      wrong.add(new RawTensor(dtype, new long[] {0}, new byte[0]));
      wrong.add(
          new RawTensor(
              dtype, new long[] {bytes / size}, Arrays.copyOf(tensor.data(), bytes / size * size)));
      wrong.add(new RawTensor(dtype, shape, Arrays.copyOf(tensor.data(), count(shape) * size)));
    }
    for (int i = 0; i < shape.length; i++) {
      for (long size : new long[] {0, 1, shape[i] - 1, shape[i] / 2, 2 * shape[i]}) {
        long[] other = shape.clone();
        other[i] = size;
        int length = bytes / count(shape) * count(other);
        wrong.add(new RawTensor(tensor.dtype(), other, Arrays.copyOf(tensor.data(), length)));
      }
    }
    wrong.add(tensor.reshaped(LongStream.concat(LongStream.of(1), LongStream.of(shape)).toArray()));
    return wrong;
  }

  private static int count(long[] shape) {
    return (int) LongStream.of(shape).reduce(1, (a, b) -> a * b);
  }

  private void mutate(String name, int mutants) throws IOException {
    Path file = folder.resolve(name);
    byte[] original = Files.readAllBytes(file);
    Object json = PlainJson.read(file);
    for (int seed = 0; seed < mutants; seed++) {
      byte[] bytes = new Mutator(seed).bytes(original);
      TensorFile.write(file, bytes);
      check("bytes of seed %d: %s".formatted(seed, new String(bytes, StandardCharsets.UTF_8)));
      String text = PlainJson.write(new Mutator(seed).json(json));
      TensorFile.write(file, text);
      check("structure of seed %d: %s".formatted(seed, text));
    }
    report(name);
  }
}
