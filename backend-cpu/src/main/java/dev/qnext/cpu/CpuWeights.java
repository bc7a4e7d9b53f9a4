package dev.qnext.cpu;

import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.checkpoint.WeightSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/** Matrices stay where they are in the memory map: nothing is copied or repacked at load. */
final class CpuWeights implements Weights {
  private final Arena arena = Arena.ofConfined();
  private final Map<String, Weight> weights = new HashMap<>();

  CpuWeights(Checkpoint checkpoint, Layout layout) {
    for (WeightSpec spec : layout.weights()) {
      StoredWeight stored = checkpoint.find(spec);
      weights.put(
          spec.path(),
          switch (spec.kind()) {
            case NORM, VECTOR -> vector(stored);
            case MATRIX, EXPERTS -> CpuMatrix.of(stored, arena);
          });
    }
  }

  private CpuVector vector(StoredWeight stored) {
    float[] values = stored.floats();
    long address = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values).address();
    return new CpuVector(stored.spec().path(), address, values.length);
  }

  @Override
  public Weight get(String path) {
    Weight weight = weights.get(path);
    if (weight == null) {
      throw new IllegalArgumentException("no weight %s was bound".formatted(path));
    }
    return weight;
  }

  /** A second call does nothing. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      weights.clear();
      arena.close();
    }
  }
}
