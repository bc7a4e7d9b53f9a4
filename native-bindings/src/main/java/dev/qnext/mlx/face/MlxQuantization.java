package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_optional_int_;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** How a matrix is packed, in the form that MLX's quantized products take; made once per format. */
public final class MlxQuantization {
  final MemorySegment group;
  final MemorySegment bits;
  final MemorySegment mode;

  /**
   * @param mode "affine", "mxfp4", "mxfp8" or "nvfp4"
   */
  public MlxQuantization(int group, int bits, String mode) {
    this.group = optional(group);
    this.bits = optional(bits);
    this.mode = Arena.ofAuto().allocateFrom(mode);
  }

  private static MemorySegment optional(int value) {
    MemorySegment struct = mlx_optional_int_.allocate(Arena.ofAuto());
    mlx_optional_int_.value(struct, value);
    mlx_optional_int_.has_value(struct, true);
    return struct;
  }
}
