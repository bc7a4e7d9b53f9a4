package dev.qnext.checkpoint;

/**
 * How the numbers of a matrix are stored: plain, or in MLX's packing, where element i of a row
 * occupies the bits [i * bits, (i + 1) * bits) of the row's little-endian bit stream and every
 * {@code group} elements share a scale (and, affine, a bias).
 *
 * @param group elements per scale; 0 for plain formats
 * @param scaleType type of scales and biases; U8 for the fp modes, the type itself for plain
 *     formats
 */
public record Format(Mode mode, int bits, int group, DType scaleType) {
  public enum Mode {
    /** F32, F16 or BF16 as {@code scaleType} says. */
    PLAIN,
    /** scale * code + bias. */
    AFFINE,
    /** E2M1 numbers times a power of two (E8M0), groups of 32. */
    MXFP4,
    /** E4M3 numbers times a power of two (E8M0), groups of 32. */
    MXFP8,
    /** E2M1 numbers times an E4M3 scale, groups of 16. */
    NVFP4
  }

  public static Format plain(DType type) {
    return new Format(Mode.PLAIN, type.bytes() * 8, 0, type);
  }

  /** Bytes of one row's codes. */
  public long rowBytes(int columns) {
    return (long) columns * bits / 8;
  }

  /** Bytes of one row's scales; biases take as many. */
  public long scaleRowBytes(int columns) {
    return group == 0 ? 0 : (long) (columns / group) * scaleType.bytes();
  }

  /** Bytes of one row with all that belongs to it: codes, scales and biases. */
  public long storedRowBytes(int columns) {
    return rowBytes(columns) + (mode == Mode.AFFINE ? 2 : 1) * scaleRowBytes(columns);
  }

  /** "4 bit, groups of 64", "mxfp4", "bf16". */
  @Override
  public String toString() {
    return switch (mode) {
      case PLAIN -> scaleType.name().toLowerCase(java.util.Locale.ROOT);
      case AFFINE -> "%d bit, groups of %d".formatted(bits, group);
      default -> mode.name().toLowerCase(java.util.Locale.ROOT);
    };
  }
}
