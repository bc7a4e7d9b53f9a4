package dev.qnext.quantize;

import dev.qnext.checkpoint.DType;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Numbers as files store them plainly, little-endian, rounded to nearest even. */
final class PlainNumbers {
  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private PlainNumbers() {}

  /** The first {@code count} values, from byte {@code at} on. */
  static void put(DType type, float[] values, int count, byte[] to, int at) {
    for (int i = 0; i < count; i++) {
      put(type, values[i], to, at + i * type.bytes());
    }
  }

  static void put(DType type, float value, byte[] to, int at) {
    switch (type) {
      case F32 -> INT.set(to, at, Float.floatToRawIntBits(value));
      case F16 -> SHORT.set(to, at, Float.floatToFloat16(value));
      case BF16 -> SHORT.set(to, at, (short) bf16(value));
      default -> throw new IllegalArgumentException("not a floating type: " + type);
    }
  }

  /** A NaN stays one. */
  static int bf16(float value) {
    int bits = Float.floatToIntBits(value);
    return bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
  }
}
