package dev.qnext.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.RowDecoder;
import dev.qnext.checkpoint.Safetensors;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.fixtures.Golden;
import dev.qnext.json.Json;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Codes, scales and biases against those that MLX's quantizer made of the same numbers. */
class RowEncoderTest {
  static List<Map<?, ?>> cases() {
    Map<?, ?> golden =
        (Map<?, ?>)
            java.util.Objects.requireNonNull(Json.read(Golden.path("ops/ops.json"), "golden"));
    List<Map<?, ?>> cases = new ArrayList<>();
    for (Object item : (List<?>) java.util.Objects.requireNonNull(golden.get("cases"))) {
      if (item instanceof Map<?, ?> one && "quantize".equals(one.get("op"))) {
        cases.add(one);
      }
    }
    assertThat(cases).hasSizeGreaterThan(40);
    return cases;
  }

  private static byte[] bytes(StoredTensor tensor) {
    return tensor.data().toArray(ValueLayout.JAVA_BYTE);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void asMlxDoes(Map<?, ?> golden) {
    try (Arena arena = Arena.ofConfined()) {
      Map<String, StoredTensor> tensors =
          Safetensors.open(Golden.path("ops/ops.safetensors"), arena).tensors();
      Map<?, ?> params = (Map<?, ?>) golden.get("params");
      Map<?, ?> inputs = (Map<?, ?>) golden.get("inputs");
      Map<?, ?> outputs = (Map<?, ?>) golden.get("outputs");
      StoredTensor w = tensors.get(String.valueOf(inputs.get("w")));
      Format.Mode mode =
          Format.Mode.valueOf(String.valueOf(params.get("mode")).toUpperCase(Locale.ROOT));
      int bits = ((Long) params.get("bits")).intValue();
      int group = ((Long) params.get("group_size")).intValue();
      Format format =
          new Format(mode, bits, group, mode == Format.Mode.AFFINE ? w.type() : DType.U8);
      int rows = (int) w.shape()[0];
      int columns = (int) w.shape()[1];
      float[] numbers = w.floats();

      byte[] packed = new byte[(int) (rows * format.rowBytes(columns))];
      byte[] scales = new byte[(int) (rows * format.scaleRowBytes(columns))];
      byte[] biases = new byte[scales.length];
      RowEncoder encoder = new RowEncoder(format, columns);
      for (int r = 0; r < rows; r++) {
        float[] row = Arrays.copyOfRange(numbers, r * columns, (r + 1) * columns);
        encoder.encode(
            row,
            packed,
            (int) (r * format.rowBytes(columns)),
            scales,
            biases,
            (int) (r * format.scaleRowBytes(columns)));
      }
      assertThat(scales).isEqualTo(bytes(tensors.get(String.valueOf(outputs.get("scales")))));
      if (mode == Format.Mode.AFFINE) {
        assertThat(biases).isEqualTo(bytes(tensors.get(String.valueOf(outputs.get("biases")))));
      }
      assertThat(packed).isEqualTo(bytes(tensors.get(String.valueOf(outputs.get("packed")))));
    }
  }

  /** Every number of the format is itself, and what lies between goes to the nearer one. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void smallFloats(boolean fp8) {
    float[] numbers = new float[fp8 ? 127 : 8];
    for (int code = 0; code < numbers.length; code++) {
      numbers[code] = fp8 ? RowDecoder.e4m3(code) : new float[] {0, .5f, 1, 1.5f, 2, 3, 4, 6}[code];
    }
    for (int code = 0; code < numbers.length; code++) {
      assertThat(encode(fp8, numbers[code])).isEqualTo(code);
      if (code > 0) {
        assertThat(encode(fp8, -numbers[code])).isEqualTo(code | (fp8 ? 0x80 : 8));
      }
      if (code + 1 < numbers.length) {
        float middle = (numbers[code] + numbers[code + 1]) / 2;
        assertThat(encode(fp8, middle)).isEqualTo(fp8 ? code + code % 2 : code);
        assertThat(encode(fp8, Math.nextDown(middle))).isEqualTo(code);
        assertThat(encode(fp8, Math.nextUp(middle))).isEqualTo(code + 1);
      }
    }
    assertThat(encode(fp8, 1e30f)).isEqualTo(numbers.length - 1);
  }

  private static int encode(boolean fp8, float x) {
    return fp8 ? RowEncoder.fp8(x) : RowEncoder.fp4(x);
  }
}
