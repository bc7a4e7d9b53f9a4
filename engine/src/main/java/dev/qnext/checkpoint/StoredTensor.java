package dev.qnext.checkpoint;

import dev.qnext.QnextException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;

/** A named tensor in a mapped file: row-major, little-endian, at any address. */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
public record StoredTensor(String name, DType type, long[] shape, MemorySegment data, Path file) {
  static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfShort I16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfInt I32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Numbers in all. */
  public long count() {
    long count = 1;
    for (long size : shape) {
      count *= size;
    }
    return count;
  }

  /** "[4096, 512]". */
  public String shapeText() {
    return Arrays.toString(shape);
  }

  /** All numbers of a floating tensor, widened to f32. */
  public float[] floats() {
    float[] out = new float[Math.toIntExact(count())];
    if (!type.isFloat()) {
      throw new QnextException(
          "%s in %s is %s; only F32, F16 and BF16 are read as numbers".formatted(name, file, type));
    }
    RowDecoder.plain(type, data, 0, out, out.length);
    return out;
  }

  /** All numbers of an i32 or u32 tensor. */
  public int[] ints() {
    if (type != DType.I32 && type != DType.U32) {
      throw new QnextException("%s in %s is %s, not whole numbers".formatted(name, file, type));
    }
    return data.toArray(I32);
  }
}
