package dev.qnext.quantize;

import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.RowDecoder;

/**
 * Rounds numbers to a format, code for code as MLX's quantizer does on the CPU (round to nearest,
 * "rtn"); the inverse of {@link RowDecoder}. Numbers must be finite. Not thread-safe: it keeps a
 * buffer.
 */
public final class RowEncoder {
  /** Midpoints of neighbouring E2M1 magnitudes: 0, 0.5, 1, 1.5, 2, 3, 4, 6. */
  private static final float[] FP4_MIDPOINTS = {.25f, .75f, 1.25f, 1.75f, 2.5f, 3.5f, 5f};

  private static final float FP4_LARGEST = 6;
  private static final float FP8_LARGEST = 448;

  private final Format format;
  private final int columns;
  private final int[] codes;

  /** For rows of so many columns, which the format's group divides. */
  public RowEncoder(Format format, int columns) {
    this.format = format;
    this.columns = columns;
    this.codes = new int[columns];
  }

  /**
   * One row.
   *
   * @param row [columns]
   * @param packed gets {@link Format#rowBytes} bytes of codes, from {@code packedAt} on
   * @param scales gets {@link Format#scaleRowBytes} bytes, from {@code scalesAt} on
   * @param biases as many, for affine formats
   */
  public void encode(
      float[] row, byte[] packed, int packedAt, byte[] scales, byte[] biases, int scalesAt) {
    int group = format.group();
    int size = format.scaleType().bytes();
    for (int from = 0, g = 0; from < columns; from += group, g++) {
      int at = scalesAt + g * size;
      switch (format.mode()) {
        case AFFINE -> affine(row, from, scales, biases, at);
        case MXFP4 -> mx(row, from, FP4_LARGEST, scales, at);
        case MXFP8 -> mx(row, from, FP8_LARGEST, scales, at);
        case NVFP4 -> nvfp4(row, from, scales, at);
        case PLAIN -> throw new IllegalArgumentException("a plain format has no codes");
      }
    }
    pack(packed, packedAt);
  }

  /** The end of the range that is further from zero is met exactly, the other one nearly. */
  private void affine(float[] row, int from, byte[] scales, byte[] biases, int at) {
    float least = Float.POSITIVE_INFINITY;
    float most = Float.NEGATIVE_INFINITY;
    int end = from + format.group();
    for (int i = from; i < end; i++) {
      least = Math.min(least, row[i]);
      most = Math.max(most, row[i]);
    }
    float bins = (1 << format.bits()) - 1;
    boolean negative = Math.abs(least) > Math.abs(most);
    float scale = Math.max((most - least) / bins, 1e-7f);
    scale = negative ? scale : -scale;
    float edge = negative ? least : most;
    float steps = (float) Math.rint(edge / scale);
    float bias = 0;
    if (steps != 0) {
      scale = edge / steps;
      bias = edge;
    }
    for (int i = from; i < end; i++) {
      float code = (float) Math.rint((row[i] - bias) / scale);
      codes[i] = (int) Math.min(Math.max(code, 0), bins);
    }
    PlainNumbers.put(format.scaleType(), scale, scales, at);
    PlainNumbers.put(format.scaleType(), bias, biases, at);
  }

  private float largest(float[] row, int from) {
    float largest = 0;
    for (int i = from; i < from + format.group(); i++) {
      largest = Math.max(largest, Math.abs(row[i]));
    }
    return largest;
  }

  /** The least power of two with which the largest number is reached; 1 if all are zero. */
  private void mx(float[] row, int from, float largest, byte[] scales, int at) {
    float needed = largest(row, from) / largest;
    int e = needed == 0 ? 0 : Math.max(exponentAbove(needed), -127);
    scales[at] = (byte) (e + 127);
    float scale = Math.scalb(1f, e);
    for (int i = from; i < from + format.group(); i++) {
      codes[i] = format.mode() == Format.Mode.MXFP4 ? fp4(row[i] / scale) : fp8(row[i] / scale);
    }
  }

  /** The least e with x <= 2^e. */
  private static int exponentAbove(float x) {
    int e = Math.getExponent(x);
    return Math.scalb(1f, e) == x ? e : e + 1;
  }

  private void nvfp4(float[] row, int from, byte[] scales, int at) {
    int code = fp8(largest(row, from) / FP4_LARGEST);
    scales[at] = (byte) code;
    float scale = RowDecoder.e4m3(code);
    for (int i = from; i < from + format.group(); i++) {
      codes[i] = scale == 0 ? 0 : fp4(row[i] / scale);
    }
  }

  /** The nearest E2M1 number; of two, the smaller; of zeros, that without a sign. */
  static int fp4(float x) {
    float magnitude = Math.abs(x);
    int code = 0;
    while (code < FP4_MIDPOINTS.length && magnitude > FP4_MIDPOINTS[code]) {
      code++;
    }
    return x < 0 && code > 0 ? code | 8 : code;
  }

  /** The nearest E4M3 number, at most 448; of two, the one with the even code. */
  static int fp8(float x) {
    int sign = Float.floatToRawIntBits(x) >>> 24 & 0x80;
    float magnitude = Math.min(Math.abs(x), FP8_LARGEST);
    // Below 2^-6 numbers are multiples of 2^-9; above, they have three bits behind the first.
    int exponent = Math.max(Math.getExponent(magnitude), -6);
    int steps = (int) Math.rint(Math.scalb(magnitude, 3 - exponent));
    int code = exponent == -6 ? steps : (exponent + 7 << 3) + steps - 8;
    return sign | Math.min(code, 0x7E);
  }

  private void pack(byte[] packed, int at) {
    int bits = format.bits();
    long buffer = 0;
    int have = 0;
    for (int i = 0; i < columns; i++) {
      buffer |= (long) codes[i] << have;
      have += bits;
      while (have >= 8) {
        packed[at++] = (byte) buffer;
        buffer >>>= 8;
        have -= 8;
      }
    }
  }
}
