package dev.qnext.backend.reference;

import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.RowDecoder;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.checkpoint.WeightSpec;
import java.util.HashMap;
import java.util.Map;

/**
 * Weights used where they lie in the memory map, decoded row by row; only norms and vectors are
 * copied.
 */
final class ReferenceWeights implements Weights {
  private final Map<String, Weight> weights = new HashMap<>();

  ReferenceWeights(Checkpoint checkpoint, Layout layout) {
    for (WeightSpec spec : layout.weights()) {
      StoredWeight stored = checkpoint.find(spec);
      boolean vector = spec.kind() == WeightSpec.Kind.NORM || spec.kind() == WeightSpec.Kind.VECTOR;
      weights.put(
          spec.path(),
          vector
              ? new Vector(spec.path(), stored.floats())
              : new Matrix(spec.path(), spec.rows(), spec.columns(), new RowDecoder(stored)));
    }
  }

  @SuppressWarnings("ArrayRecordComponent") // compared by nobody
  record Vector(String path, float[] values) implements Weight {
    static float[] of(Weight weight) {
      return ((Vector) weight).values;
    }
  }

  record Matrix(String path, int rows, int columns, RowDecoder decoder) implements Weight {
    static Matrix of(Weight weight) {
      return (Matrix) weight;
    }
  }

  @Override
  public Weight get(String path) {
    Weight weight = weights.get(path);
    if (weight == null) {
      throw new IllegalArgumentException("no weight %s was bound".formatted(path));
    }
    return weight;
  }

  @Override
  public void close() {
    weights.clear();
  }
}
