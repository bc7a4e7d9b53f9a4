package dev.qnext.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A weight as it lies in the mapped files, in one of the two layouts, seen alike: one matrix per
 * expert. Made by {@link Checkpoint#find}, which has checked every shape.
 */
public final class StoredWeight {
  private final WeightSpec spec;
  private final Format format;
  private final List<Matrix> matrices;
  private final boolean zeroCentred;

  StoredWeight(WeightSpec spec, Format format, List<Matrix> matrices, boolean zeroCentred) {
    this.spec = spec;
    this.format = format;
    this.matrices = List.copyOf(matrices);
    this.zeroCentred = zeroCentred;
  }

  /**
   * Bytes of one matrix [rows, columns].
   *
   * @param codes rows * format.rowBytes(columns) bytes
   * @param scales empty for plain formats
   * @param biases empty for all but affine formats
   */
  public record Matrix(MemorySegment codes, MemorySegment scales, MemorySegment biases) {}

  public WeightSpec spec() {
    return spec;
  }

  public Format format() {
    return format;
  }

  public Matrix matrix(int expert) {
    return matrices.get(expert);
  }

  /** A norm's or vector's numbers, with 1 added where the file stores a norm zero-centred. */
  public float[] floats() {
    float[] out = new float[spec.columns()];
    new RowDecoder(this).decode(0, 0, out);
    if (zeroCentred) {
      for (int i = 0; i < out.length; i++) {
        out[i] += 1;
      }
    }
    return out;
  }

  /** Bytes in the files. */
  public long bytes() {
    long bytes = 0;
    for (Matrix m : matrices) {
      bytes += m.codes().byteSize() + m.scales().byteSize() + m.biases().byteSize();
    }
    return bytes;
  }
}
