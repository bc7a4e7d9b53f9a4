package dev.qnext.mlx.face;

/** Element types, in the order of {@code mlx_dtype} in mlx-c's array.h. */
public enum MlxType {
  BOOL(1),
  UINT8(1),
  UINT16(2),
  UINT32(4),
  UINT64(8),
  INT8(1),
  INT16(2),
  INT32(4),
  INT64(8),
  FLOAT16(2),
  FLOAT32(4),
  FLOAT64(8),
  BFLOAT16(2),
  COMPLEX64(8);

  private static final MlxType[] BY_CODE = values();
  private final int bytes;

  MlxType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  int code() {
    return ordinal();
  }

  static MlxType of(int code) {
    return BY_CODE[code];
  }
}
