package dev.qnext.checkpoint;

/** Number types of safetensors files that this project reads, by the names in the file's header. */
public enum DType {
  F32(4),
  F16(2),
  BF16(2),
  U32(4),
  U8(1),
  I32(4),
  I64(8),
  U16(2),
  I8(1),
  I16(2),
  U64(8),
  F64(8),
  BOOL(1),
  F8_E4M3(1),
  F8_E5M2(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one number. */
  public int bytes() {
    return bytes;
  }

  boolean isFloat() {
    return this == F32 || this == F16 || this == BF16;
  }
}
