package dev.qnext.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.fixtures.TensorFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {
  private static final Path FILE = Path.of("model.safetensors");

  @TempDir Path folder;

  private static Safetensors parse(String header, int dataBytes) {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    byte[] bytes =
        ByteBuffer.allocate(8 + text.length + dataBytes)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(text.length)
            .put(text)
            .array();
    return Safetensors.parse(FILE, MemorySegment.ofArray(bytes));
  }

  private static void assertBroken(String header, String why) {
    assertThatThrownBy(() -> parse(header, 16))
        .isInstanceOf(QnextException.class)
        .hasMessage(
            "model.safetensors is not a valid safetensors file: %s; download it again"
                .formatted(why));
  }

  @ParameterizedTest
  @ValueSource(strings = {"tiny/mlx-4bit/model.safetensors", "ops/ops.safetensors"})
  void readsWhatMlxAndTorchWrote(String name) {
    Path file = Golden.path(name);
    Map<String, RawTensor> expected = TensorFile.read(file);
    try (Arena arena = Arena.ofConfined()) {
      Map<String, StoredTensor> tensors = Safetensors.open(file, arena).tensors();
      assertThat(List.copyOf(tensors.keySet())).isEqualTo(List.copyOf(expected.keySet()));
      expected.forEach((key, raw) -> {
        StoredTensor tensor = tensors.get(key);
        assertThat(tensor.name()).isEqualTo(key);
        assertThat(tensor.type().name()).isEqualTo(raw.dtype());
        assertThat(tensor.shape()).isEqualTo(raw.shape());
        assertThat(tensor.file()).isEqualTo(file);
        assertThat(tensor.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(raw.data());
        if (tensor.type().isFloat()) {
          assertThat(tensor.floats()).isEqualTo(raw.floats());
        }
      });
    }
  }

  @Test
  void metadataAndEmptyTensors() {
    Safetensors file =
        parse(
            "{\"__metadata__\":{\"format\":\"mlx\"},"
                + "\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[16,16]},"
                + "\"one\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[3,4]}}   ",
            16);
    assertThat(file.metadata()).isEqualTo(Map.of("format", "mlx"));
    assertThat(file.tensors().get("none").count()).isZero();
    assertThat(file.tensors().get("one").count()).isEqualTo(1);
    assertThat(file.tensors().get("none").shapeText()).isEqualTo("[0, 3]");
  }

  @Test
  void everyBrokenHeaderHasItsSentence() {
    assertThatThrownBy(
            () -> Safetensors.parse(FILE, MemorySegment.ofArray(new byte[] {1, 2, 3, 4, 5})))
        .isInstanceOf(QnextException.class)
        .hasMessage(
            "model.safetensors is not a valid safetensors file: it has 5 bytes, fewer than a header; download it again");
    for (long length : new long[] {0, 1, 9, 101 << 20, Long.MAX_VALUE, -1}) {
      byte[] bytes = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array();
      assertThatThrownBy(() -> Safetensors.parse(FILE, MemorySegment.ofArray(bytes)))
          .isInstanceOf(QnextException.class)
          .hasMessage(
              "model.safetensors is not a valid safetensors file: its header claims %s bytes and the file has 16; download it again"
                  .formatted(Long.toUnsignedString(length)));
    }
    assertThatThrownBy(() -> parse("{\"a\":", 16))
        .isInstanceOf(QnextException.class)
        .hasMessageStartingWith(
            "model.safetensors is not a valid safetensors file: its header is not valid JSON: ");
    assertBroken("[]", "its header is not a JSON object");
    assertBroken("{\"w\":3}", "the entry w is not an object");
    assertBroken(
        "{\"w\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,16]}}",
        "w has the unknown dtype F4");
    assertBroken("{\"w\":{\"shape\":[4],\"data_offsets\":[0,16]}}", "w has the unknown dtype null");
    for (String rest :
        List.of(
            "\"shape\":[4]",
            "\"data_offsets\":[0,16]",
            "\"shape\":[-4],\"data_offsets\":[0,16]",
            "\"shape\":[4.0],\"data_offsets\":[0,16]",
            "\"shape\":\"4\",\"data_offsets\":[0,16]",
            "\"shape\":[99999999999999999999],\"data_offsets\":[0,16]",
            "\"shape\":[4],\"data_offsets\":[16]",
            "\"shape\":[4],\"data_offsets\":[-1,15]")) {
      assertBroken("{\"w\":{\"dtype\":\"F32\"," + rest + "}}", "w lacks a shape or data_offsets");
    }
    for (String place : List.of("0, 12", "4, 20", "16, 0", "1, 16")) {
      String[] bounds = place.split(", ");
      assertBroken(
          "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[%s]}}".formatted(place),
          "w F32 [2, 2] does not fit its place, bytes %s to %s of 16"
              .formatted(bounds[0], bounds[1]));
    }
    assertBroken(
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
        "w F32 [4611686018427387904, 4] does not fit its place, bytes 0 to 0 of 16");
  }

  @Test
  void tensorsThatShareBytes() {
    String entry = "\"%s\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[%d,%d]}";
    String first = entry.formatted("a", 2, 0, 8);
    assertBroken(
        "{" + first + "," + entry.formatted("b", 2, 4, 12) + "}",
        "a and b share 4 bytes, the first at 4");
    assertBroken(
        "{" + entry.formatted("inner", 1, 4, 8) + "," + entry.formatted("outer", 4, 0, 16) + "}",
        "outer and inner share 4 bytes, the first at 4");
    assertBroken(
        "{" + first + "," + entry.formatted("same", 2, 0, 8) + "}",
        "a and same share 8 bytes, the first at 0");
    // Side by side, in any order, with a hole, and one of no size in the middle of another.
    assertThat(parse("{" + entry.formatted("b", 2, 8, 16) + "," + first + "}", 16).tensors())
        .hasSize(2);
    assertThat(parse("{" + first + "," + entry.formatted("b", 1, 12, 16) + "}", 16).tensors())
        .hasSize(2);
    assertThat(parse("{" + first + "," + entry.formatted("none", 0, 4, 4) + "}", 16).tensors())
        .hasSize(2);
  }

  @Test
  void filesThatAreNotThere() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Path missing = folder.resolve("model.safetensors");
      assertThatThrownBy(() -> Safetensors.open(missing, arena))
          .isInstanceOf(QnextException.class)
          .hasMessage("weights not found: %s; download the model again".formatted(missing));
      assertThatThrownBy(() -> Safetensors.open(folder, arena))
          .isInstanceOf(QnextException.class)
          .hasMessageStartingWith("cannot read weights: %s: ".formatted(folder));
      Files.write(missing, new byte[0]);
      assertThatThrownBy(() -> Safetensors.open(missing, arena))
          .isInstanceOf(QnextException.class)
          .hasMessage(
              "%s is not a valid safetensors file: it has 0 bytes, fewer than a header; download it again"
                  .formatted(missing));
    }
  }

  @Test
  void numbersOfTheWrongKind() {
    Safetensors file =
        parse("{\"w\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16);
    StoredTensor tensor = file.tensors().get("w");
    assertThatThrownBy(tensor::floats)
        .isInstanceOf(QnextException.class)
        .hasMessage("w in model.safetensors is I64; only F32, F16 and BF16 are read as numbers");
    assertThatThrownBy(tensor::ints)
        .isInstanceOf(QnextException.class)
        .hasMessage("w in model.safetensors is I64, not whole numbers");
  }
}
