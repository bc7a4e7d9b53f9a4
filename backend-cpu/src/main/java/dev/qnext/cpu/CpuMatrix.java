package dev.qnext.cpu;

import dev.qnext.backend.Weight;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.RowDecoder;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.checkpoint.WeightSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A matrix used where it lies in the memory map; what the C side gets is a {@code struct qn_matrix}
 * (kernels.h) that points there.
 *
 * @param struct address of the struct
 */
record CpuMatrix(String path, int rows, int columns, long struct, RowDecoder decoder)
    implements Weight {
  /** Bytes of the structs, as kernels.h asserts them. */
  private static final long MATRIX_BYTES = 64;

  private static final long PLANES_BYTES = 24;

  static CpuMatrix of(Weight weight) {
    return (CpuMatrix) weight;
  }

  static CpuMatrix of(StoredWeight stored, Arena arena) {
    WeightSpec spec = stored.spec();
    Format format = stored.format();
    MemorySegment planes = arena.allocate(PLANES_BYTES * spec.experts(), 8);
    for (int e = 0; e < spec.experts(); e++) {
      StoredWeight.Matrix matrix = stored.matrix(e);
      long at = PLANES_BYTES * e;
      planes.set(ValueLayout.JAVA_LONG, at, matrix.codes().address());
      planes.set(ValueLayout.JAVA_LONG, at + 8, matrix.scales().address());
      planes.set(ValueLayout.JAVA_LONG, at + 16, matrix.biases().address());
    }
    MemorySegment struct = arena.allocate(MATRIX_BYTES, 8);
    struct.set(ValueLayout.JAVA_INT, 0, mode(format));
    struct.set(ValueLayout.JAVA_INT, 4, format.bits());
    struct.set(ValueLayout.JAVA_INT, 8, format.group());
    struct.set(ValueLayout.JAVA_INT, 12, type(format.scaleType()));
    struct.set(ValueLayout.JAVA_INT, 16, spec.experts());
    struct.set(ValueLayout.JAVA_INT, 20, spec.rows());
    struct.set(ValueLayout.JAVA_INT, 24, spec.columns());
    struct.set(ValueLayout.JAVA_LONG, 32, format.rowBytes(spec.columns()));
    struct.set(ValueLayout.JAVA_LONG, 40, format.scaleRowBytes(spec.columns()));
    struct.set(ValueLayout.JAVA_LONG, 48, rowMap(spec, arena));
    struct.set(ValueLayout.JAVA_LONG, 56, planes.address());
    return new CpuMatrix(
        spec.path(), spec.rows(), spec.columns(), struct.address(), new RowDecoder(stored));
  }

  /** {@code enum qn_mode}. */
  private static int mode(Format format) {
    return switch (format.mode()) {
      case PLAIN -> 0;
      case AFFINE -> 1;
      case MXFP4 -> 2;
      case MXFP8 -> 3;
      case NVFP4 -> 4;
    };
  }

  /** {@code enum qn_type}; not looked at where scales are bytes. */
  private static int type(DType type) {
    return switch (type) {
      case F16 -> 1;
      case BF16 -> 2;
      default -> 0;
    };
  }

  /** The bound row of each stored row; 0 where they are the same. */
  private static long rowMap(WeightSpec spec, Arena arena) {
    if (spec.rowOrder() == null) {
      return 0;
    }
    int[] stored = spec.rowOrder().stored();
    int[] bound = new int[stored.length];
    for (int row = 0; row < stored.length; row++) {
      bound[stored[row]] = row;
    }
    return arena.allocateFrom(ValueLayout.JAVA_INT, bound).address();
  }
}
