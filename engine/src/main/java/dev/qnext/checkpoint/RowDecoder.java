package dev.qnext.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Turns one stored row into f32: the definition of every format that this project reads. Scales and
 * biases are widened first, so the result is scale * code + bias in f32, as MLX computes it on f32
 * activations.
 */
public final class RowDecoder {
  /** The sixteen E2M1 numbers. */
  private static final float[] FP4 = {
    0f, .5f, 1f, 1.5f, 2f, 3f, 4f, 6f, -0f, -.5f, -1f, -1.5f, -2f, -3f, -4f, -6f
  };

  /** The 256 E4M3 numbers (no infinities; 0x7F and 0xFF are NaN). */
  private static final float[] FP8 = new float[256];

  /** The 256 E8M0 scales 2^(byte - 127); 255 is NaN. */
  private static final float[] POWER = new float[256];

  static {
    for (int code = 0; code < 256; code++) {
      int exponent = code >> 3 & 15;
      int mantissa = code & 7;
      float magnitude =
          exponent == 0 ? Math.scalb(mantissa, -9) : Math.scalb(8 + mantissa, exponent - 10);
      FP8[code] = (code & 0x7F) == 0x7F ? Float.NaN : code < 128 ? magnitude : -magnitude;
      POWER[code] = code == 255 ? Float.NaN : Math.scalb(1f, code - 127);
    }
  }

  /** The E4M3 number of a code; NaN for 0x7F and 0xFF. */
  public static float e4m3(int code) {
    return FP8[code];
  }

  private final StoredWeight weight;
  private final Format format;
  private final int columns;
  private final long rowBytes;
  private final long scaleRowBytes;
  private final int[] rowOrder;

  public RowDecoder(StoredWeight weight) {
    this.weight = weight;
    this.format = weight.format();
    this.columns = weight.spec().columns();
    this.rowBytes = format.rowBytes(columns);
    this.scaleRowBytes = format.scaleRowBytes(columns);
    RowOrder order = weight.spec().rowOrder();
    this.rowOrder = order == null ? new int[0] : order.stored();
  }

  /** Writes the columns of one row (in the bound order) of one expert's matrix to {@code out}. */
  public void decode(int expert, int row, float[] out) {
    StoredWeight.Matrix m = weight.matrix(expert);
    int stored = rowOrder.length == 0 ? row : rowOrder[row];
    long codes = stored * rowBytes;
    long scales = stored * scaleRowBytes;
    switch (format.mode()) {
      case PLAIN -> plain(format.scaleType(), m.codes(), codes, out, columns);
      case AFFINE -> affine(m, codes, scales, out);
      case MXFP4 -> fp4(m, codes, scales, POWER, out);
      case MXFP8 -> mxfp8(m, codes, scales, out);
      case NVFP4 -> fp4(m, codes, scales, FP8, out);
    }
  }

  static void plain(DType type, MemorySegment data, long at, float[] out, int count) {
    switch (type) {
      case F32 -> MemorySegment.copy(data, StoredTensor.F32, at, out, 0, count);
      case F16 -> {
        for (int i = 0; i < count; i++) {
          out[i] = Float.float16ToFloat(data.get(StoredTensor.I16, at + 2L * i));
        }
      }
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          out[i] = Float.intBitsToFloat(data.get(StoredTensor.I16, at + 2L * i) << 16);
        }
      }
      default -> throw new IllegalArgumentException("not a floating type: " + type);
    }
  }

  private void affine(StoredWeight.Matrix m, long codes, long scales, float[] out) {
    int bits = format.bits();
    int group = format.group();
    long mask = (1L << bits) - 1;
    long buffer = 0;
    int have = 0;
    for (int start = 0; start < columns; start += group) {
      float scale = scale(m.scales(), scales);
      float bias = scale(m.biases(), scales);
      scales += format.scaleType().bytes();
      for (int i = start; i < start + group; i++) {
        if (have < bits) {
          buffer |= (m.codes().get(StoredTensor.I32, codes) & 0xFFFFFFFFL) << have;
          codes += 4;
          have += 32;
        }
        out[i] = scale * (buffer & mask) + bias;
        buffer >>>= bits;
        have -= bits;
      }
    }
  }

  private float scale(MemorySegment scales, long at) {
    return switch (format.scaleType()) {
      case BF16 -> Float.intBitsToFloat(scales.get(StoredTensor.I16, at) << 16);
      case F16 -> Float.float16ToFloat(scales.get(StoredTensor.I16, at));
      default -> scales.get(StoredTensor.F32, at);
    };
  }

  private void fp4(StoredWeight.Matrix m, long codes, long scales, float[] scaleOf, float[] out) {
    for (int i = 0; i < columns; i += 2) {
      float scale =
          scaleOf[
              Byte.toUnsignedInt(
                  m.scales().get(ValueLayout.JAVA_BYTE, scales + i / format.group()))];
      int pair = m.codes().get(ValueLayout.JAVA_BYTE, codes + i / 2);
      out[i] = scale * FP4[pair & 15];
      out[i + 1] = scale * FP4[pair >> 4 & 15];
    }
  }

  private void mxfp8(StoredWeight.Matrix m, long codes, long scales, float[] out) {
    for (int i = 0; i < columns; i++) {
      float scale =
          POWER[
              Byte.toUnsignedInt(
                  m.scales().get(ValueLayout.JAVA_BYTE, scales + i / format.group()))];
      out[i] = scale * FP8[Byte.toUnsignedInt(m.codes().get(ValueLayout.JAVA_BYTE, codes + i))];
    }
  }
}
