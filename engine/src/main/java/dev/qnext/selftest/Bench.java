package dev.qnext.selftest;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The weights of one case on one backend, and what was read from it. */
final class Bench {
  private final Backend backend;
  private final Weights weights;
  private final List<Output> outputs = new ArrayList<>();

  /** The numbers of one tensor, row by row. */
  @SuppressWarnings("ArrayRecordComponent") // compared by nobody
  record Output(int columns, float[] values) {}

  Bench(Backend backend, Weights weights) {
    this.backend = backend;
    this.weights = weights;
  }

  Backend backend() {
    return backend;
  }

  Weight weight(String path) {
    return weights.get(path);
  }

  /** Rows of a table as a tensor: inputs come through the seam as well. */
  Tensor input(String path, int first, int count) {
    int[] ids = new int[count];
    for (int i = 0; i < count; i++) {
      ids[i] = first + i;
    }
    return backend.embed(weight(path), backend.tokens(ids));
  }

  /** Reads a tensor into the outputs. */
  void read(Tensor tensor) {
    float[] out = new float[Math.multiplyExact(tensor.rows(), tensor.columns())];
    backend.readFloats(tensor, MemorySegment.ofArray(out));
    outputs.add(new Output(tensor.columns(), out));
  }

  /** Reads token ids into the outputs. */
  void readTokens(Tensor tokens) {
    int[] ids = backend.readTokens(tokens);
    float[] out = new float[ids.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = ids[i];
    }
    outputs.add(new Output(1, out));
  }

  /** All that was read, in order. */
  List<Output> outputs() {
    return outputs;
  }
}
