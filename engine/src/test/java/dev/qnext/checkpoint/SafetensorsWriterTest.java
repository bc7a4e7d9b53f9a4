package dev.qnext.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.SafetensorsWriter.Entry;
import dev.qnext.checkpoint.SafetensorsWriter.Floats;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.fixtures.TensorFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written is read by a reader that is not the engine's. */
class SafetensorsWriterTest {
  @TempDir Path folder;

  @Test
  void floatsAreReadByOthers() {
    Map<String, Floats> tensors = new LinkedHashMap<>();
    float[] large = new float[300_000];
    for (int i = 0; i < large.length; i++) {
      large[i] = i / 7f;
    }
    tensors.put("logits \"é\"", new Floats(List.of(3L, 100_000L), large));
    tensors.put("none", new Floats(List.of(0L), new float[0]));
    tensors.put("one", new Floats(List.of(), new float[] {-0f}));
    Path file = folder.resolve("out.safetensors");
    SafetensorsWriter.write(file, tensors);
    SafetensorsWriter.write(file, tensors); // replaces
    Map<String, RawTensor> read = TensorFile.read(file);
    assertThat(List.copyOf(read.keySet())).isEqualTo(List.copyOf(tensors.keySet()));
    tensors.forEach((name, tensor) -> {
      assertThat(read.get(name).dtype()).isEqualTo("F32");
      assertThat(read.get(name).shape())
          .isEqualTo(tensor.shape().stream().mapToLong(i -> i).toArray());
      assertThat(read.get(name).floats()).isEqualTo(tensor.values());
    });
    assertThat(folder.toFile().list()).containsExactly("out.safetensors");
  }

  /** Pieces of any size, from the heap and from outside; odd tensors shift those behind them. */
  @Test
  void bytesOfEveryType() {
    SplittableRandom random = new SplittableRandom(1);
    Path file = folder.resolve("types.safetensors");
    Map<String, byte[]> data = new LinkedHashMap<>();
    List<Entry> entries =
        List.of(
            new Entry("bytes", DType.U8, List.of(3L)),
            new Entry("none", DType.BF16, List.of(5L, 0L)),
            new Entry("words", DType.U32, List.of(7L, 50_001L)),
            new Entry("halves", DType.BF16, List.of(2L, 2L)));
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer =
            SafetensorsWriter.create(file, entries, Map.of("format", "mlx", "é", "\""))) {
      for (Entry entry : entries) {
        byte[] bytes = new byte[(int) entry.bytes()];
        random.nextBytes(bytes);
        data.put(entry.name(), bytes);
        for (int at = 0; at < bytes.length; ) {
          int piece = Math.min(bytes.length - at, 1 + random.nextInt(1_200_000));
          MemorySegment part = MemorySegment.ofArray(bytes).asSlice(at, piece);
          if (random.nextBoolean()) {
            part = arena.allocate(piece).copyFrom(part);
          }
          writer.write(part);
          at += piece;
        }
      }
      assertThat(file).doesNotExist();
      writer.finish();
    }
    Map<String, RawTensor> read = TensorFile.read(file);
    assertThat(List.copyOf(read.keySet())).isEqualTo(entries.stream().map(Entry::name).toList());
    for (Entry entry : entries) {
      RawTensor tensor = read.get(entry.name());
      assertThat(tensor.dtype()).isEqualTo(entry.type().name());
      assertThat(tensor.shape()).isEqualTo(entry.shape().stream().mapToLong(i -> i).toArray());
      assertThat(tensor.data()).isEqualTo(data.get(entry.name()));
    }
    try (Arena arena = Arena.ofConfined()) {
      assertThat(Safetensors.open(file, arena).metadata())
          .isEqualTo(Map.of("format", "mlx", "é", "\""));
    }
  }

  @Test
  void dataStartAtAMultipleOfEight() throws IOException {
    for (int length = 1; length <= 9; length++) {
      Path file = folder.resolve(length + ".safetensors");
      SafetensorsWriter.write(
          file, Map.of("é".repeat(length), new Floats(List.of(1L), new float[] {1})));
      byte[] bytes = Files.readAllBytes(file);
      long header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
      assertThat(header % 8).isZero();
      assertThat(bytes).hasSize((int) header + 12);
    }
  }

  @Test
  void whatIsNotFinishedIsRemoved() throws IOException {
    Path file = Files.writeString(folder.resolve("out.safetensors"), "before");
    List<Entry> two =
        List.of(new Entry("a", DType.F32, List.of(2L)), new Entry("b", DType.F32, List.of(1L)));
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, two, Map.of())) {
      writer.write(new float[] {1});
      assertThatThrownBy(writer::finish)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("4 bytes of a were not written");
      assertThatThrownBy(() -> writer.write(new float[] {1, 2}))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("8 bytes where 4 are missing of a");
      writer.write(new float[] {2});
      writer.write(new float[] {3});
      assertThatThrownBy(() -> writer.write(new float[] {4}))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("4 bytes where 0 are missing in all");
    }
    assertThat(folder.toFile().list()).containsExactly("out.safetensors");
    assertThat(file).hasContent("before");
  }

  @Test
  void whatCannotBeWrittenLeavesNothing() {
    Path file = folder.resolve("none/out.safetensors");
    assertThatThrownBy(() -> SafetensorsWriter.write(file, Map.of()))
        .isInstanceOf(QnextException.class)
        .hasMessageStartingWith("cannot write %s: ".formatted(file));
    List<Entry> twins =
        List.of(new Entry("a", DType.U8, List.of(1L)), new Entry("a", DType.U8, List.of(1L)));
    assertThatThrownBy(
            () -> SafetensorsWriter.create(folder.resolve("out.safetensors"), twins, Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("two tensors have the name a");
    assertThat(folder.toFile().list()).isEmpty();
  }
}
