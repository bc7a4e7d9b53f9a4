package dev.qnext.mlx;

import dev.qnext.backend.Weight;
import dev.qnext.mlx.face.MlxArray;

/**
 * A norm's or vector's numbers: on the host, where constants are folded, and on the device in the
 * type of the activations.
 *
 * @param home the weights that it came with, which keep what is folded from it
 */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
record MlxVector(String path, float[] values, MlxArray array, MlxWeights home) implements Weight {
  static MlxVector of(Weight weight) {
    return (MlxVector) weight;
  }
}
