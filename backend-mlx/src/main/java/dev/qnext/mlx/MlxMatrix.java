package dev.qnext.mlx;

import dev.qnext.backend.Weight;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxQuantization;
import dev.qnext.mlx.face.MlxType;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A matrix [rows, columns] on the device, or several [experts, rows, columns].
 *
 * @param home the weights that it came with, which own its arrays
 * @param weight packed codes, or plain numbers in the type of the activations
 * @param transposed the plain numbers as the right side of a product takes them; null for packed
 * @param scales null for plain
 * @param biases null for all but affine formats
 * @param quantization null for plain
 */
record MlxMatrix(
    String path,
    Mlx mlx,
    MlxWeights home,
    int rows,
    int columns,
    MlxArray weight,
    @Nullable MlxArray transposed,
    @Nullable MlxArray scales,
    @Nullable MlxArray biases,
    @Nullable MlxQuantization quantization)
    implements Weight {
  static MlxMatrix of(Weight weight) {
    return (MlxMatrix) weight;
  }

  /** x W^T for x [..., columns]. */
  MlxArray multiply(MlxArray x) {
    if (quantization == null || scales == null) {
      return mlx.matmul(x, Objects.requireNonNull(transposed));
    }
    return mlx.quantizedMatmul(x, weight, scales, biases, quantization);
  }

  /**
   * Products with chosen experts; see {@link Mlx#gatherQmm} for the indices.
   *
   * @param sorted the experts ascend
   */
  MlxArray gather(MlxArray x, @Nullable MlxArray left, MlxArray experts, boolean sorted) {
    if (quantization == null || scales == null) {
      return mlx.gatherMm(x, Objects.requireNonNull(transposed), left, experts, sorted);
    }
    return mlx.gatherQmm(x, weight, scales, biases, left, experts, quantization, sorted);
  }

  /** Rows of the table as plain numbers, [ids, columns]. */
  MlxArray lookUp(MlxArray ids, MlxType type) {
    MlxArray codes = mlx.take(weight, ids, 0);
    if (quantization == null || scales == null) {
      return codes;
    }
    return mlx.dequantize(
        codes,
        mlx.take(scales, ids, 0),
        biases == null ? null : mlx.take(biases, ids, 0),
        quantization,
        type);
  }

  /** The whole matrix as plain numbers [rows, columns]. */
  MlxArray plain(MlxType type) {
    return quantization == null || scales == null
        ? mlx.share(weight)
        : mlx.dequantize(weight, scales, biases, quantization, type);
  }
}
