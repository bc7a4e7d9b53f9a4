package dev.qnext.selftest;

import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.SafetensorsWriter;
import dev.qnext.checkpoint.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Random tensors of a checkpoint, in every format. Nothing has to be quantized: random bits are
 * valid codes, and only the scales must be sensible. Inputs are bf16 numbers in f32 tables, so that
 * a backend with half activations gets them exactly.
 */
final class RandomWeights {
  private final List<Entry> entries = new ArrayList<>();
  private final List<byte[]> data = new ArrayList<>();

  /** Makes model.safetensors and its config.json. */
  void write(Path folder) throws IOException {
    Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"self-test\"}");
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(
            folder.resolve("model.safetensors"), entries, Map.of("format", "mlx"))) {
      for (byte[] bytes : data) {
        writer.write(MemorySegment.ofArray(bytes));
      }
      writer.finish();
    }
  }

  /** Normally distributed numbers that bf16 can hold. */
  static float[] gaussian(SplittableRandom random, int count, double deviation) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = bf16(deviation * random.nextGaussian());
    }
    return values;
  }

  /** The bf16 number towards zero. */
  private static float bf16(double value) {
    return Float.intBitsToFloat(Float.floatToIntBits((float) value) & 0xFFFF0000);
  }

  /** An f32 tensor. */
  void floats(String name, float[] values, long... shape) {
    add(name, DType.F32, shape, bytes(DType.F32, values));
  }

  /** A matrix, or stacked ones, in any format: weight, scales, biases. */
  void matrix(SplittableRandom random, String path, Format format, long... shape) {
    int columns = (int) shape[shape.length - 1];
    int count = 1;
    for (long size : shape) {
      count = Math.multiplyExact(count, (int) size);
    }
    double deviation = 1 / Math.sqrt(columns);
    if (format.mode() == Format.Mode.PLAIN) {
      DType type = format.scaleType();
      add(path + ".weight", type, shape, bytes(type, gaussian(random, count, deviation)));
      return;
    }
    byte[] codes = new byte[(int) (count * (long) format.bits() / 8)];
    random.nextBytes(codes);
    if (format.mode() == Format.Mode.MXFP8) {
      // Without its highest exponents E4M3 has neither NaN nor numbers that drown the others.
      for (int i = 0; i < codes.length; i++) {
        codes[i] &= (byte) 0xBF;
      }
    }
    add(path + ".weight", DType.U32, withLast(shape, columns * format.bits() / 32), codes);
    long[] groups = withLast(shape, columns / format.group());
    int scales = count / format.group();
    if (format.mode() == Format.Mode.AFFINE) {
      affine(random, path, format, groups, scales, deviation);
    } else {
      byte[] exponents = new byte[scales];
      for (int i = 0; i < scales; i++) {
        exponents[i] = smallScale(random, format.mode());
      }
      add(path + ".scales", DType.U8, groups, exponents);
    }
  }

  /** Codes are even from 0 to 2^bits - 1, so half of that is their mean. */
  private void affine(
      SplittableRandom random,
      String path,
      Format format,
      long[] groups,
      int count,
      double deviation) {
    double steps = (1 << format.bits()) - 1;
    float[] scales = new float[count];
    float[] biases = new float[count];
    for (int i = 0; i < count; i++) {
      double scale = deviation * Math.sqrt(12) / steps * (0.75 + 0.5 * random.nextDouble());
      // About half of MLX's scales are negative.
      scales[i] = bf16(random.nextBoolean() ? scale : -scale);
      biases[i] = bf16(-scales[i] * steps * (0.4 + 0.2 * random.nextDouble()));
    }
    add(path + ".scales", format.scaleType(), groups, bytes(format.scaleType(), scales));
    add(path + ".biases", format.scaleType(), groups, bytes(format.scaleType(), biases));
  }

  /** About 2^-6, or 2^-4: E8M0 is 2^(byte - 127), and the E4M3 numbers from 0x08 begin at 2^-6. */
  private static byte smallScale(SplittableRandom random, Format.Mode mode) {
    return (byte)
        switch (mode) {
          case NVFP4 -> 0x08 + random.nextInt(8);
          case MXFP8 -> 122 + random.nextInt(3);
          default -> 120 + random.nextInt(3);
        };
  }

  private static long[] withLast(long[] shape, long last) {
    long[] copy = shape.clone();
    copy[copy.length - 1] = last;
    return copy;
  }

  private static byte[] bytes(DType type, float[] values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      switch (type) {
        case F32 -> bytes.putFloat(value);
        case F16 -> bytes.putShort(Float.floatToFloat16(value));
        case BF16 -> bytes.putShort((short) (Float.floatToIntBits(value) >>> 16));
        default -> throw new IllegalArgumentException("not a floating type: " + type);
      }
    }
    return bytes.array();
  }

  private void add(String name, DType type, long[] shape, byte[] bytes) {
    List<Long> sizes = new ArrayList<>();
    for (long size : shape) {
      sizes.add(size);
    }
    entries.add(new Entry(name, type, sizes));
    data.add(bytes);
  }
}
