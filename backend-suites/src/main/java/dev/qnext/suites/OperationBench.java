package dev.qnext.suites;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.fixtures.ModelFolder;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.fixtures.TensorFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A handful of weights on a backend. Inputs come through the seam too: as f32 tables whose rows are
 * embedded.
 */
final class OperationBench implements AutoCloseable {
  private final Backend backend;
  private final Map<String, RawTensor> tensors = new LinkedHashMap<>();
  private final List<WeightSpec> specs = new ArrayList<>();
  private @Nullable Checkpoint checkpoint;
  private @Nullable Weights weights;

  OperationBench(Backend backend) {
    this.backend = backend;
  }

  /** An input [rows, columns], or a plain matrix. */
  OperationBench matrix(String path, float[] values, int columns) {
    int rows = values.length / columns;
    return tensor(path + ".weight", RawTensor.f32(values, rows, columns))
        .spec(WeightSpec.matrix(path, rows, columns));
  }

  /** A norm by its stored, zero-centred numbers. */
  OperationBench norm(String path, float[] values) {
    return tensor(path + ".weight", RawTensor.f32(values, values.length))
        .spec(WeightSpec.norm(path, values.length));
  }

  OperationBench vector(String path, float[] values) {
    return tensor(path, RawTensor.f32(values, values.length))
        .spec(WeightSpec.vector(path, values.length));
  }

  OperationBench tensor(String name, @Nullable RawTensor tensor) {
    if (tensor != null) {
      tensors.put(name, tensor);
    }
    return this;
  }

  OperationBench spec(WeightSpec spec) {
    specs.add(spec);
    return this;
  }

  OperationBench bind(Path folder) {
    new ModelFolder(Map.of("model_type", "none"), Map.of()).write(folder);
    TensorFile.write(folder.resolve("model.safetensors"), tensors);
    checkpoint = Checkpoint.open(folder);
    weights = backend.bind(checkpoint, new Layout(specs));
    return this;
  }

  Weight weight(String path) {
    return Objects.requireNonNull(weights, "not bound").get(path);
  }

  /** All rows of a bound matrix as a tensor. */
  Tensor input(String path) {
    WeightSpec spec = specs.stream().filter(s -> s.path().equals(path)).findFirst().orElseThrow();
    return input(path, IntStream.range(0, spec.rows()).toArray());
  }

  /** These rows of a bound matrix as a tensor. */
  Tensor input(String path, int[] rows) {
    return backend.embed(weight(path), backend.tokens(rows));
  }

  float[] read(Tensor tensor) {
    return read(backend, tensor);
  }

  static float[] read(Backend backend, Tensor tensor) {
    float[] out = new float[tensor.rows() * tensor.columns()];
    backend.readFloats(tensor, MemorySegment.ofArray(out));
    return out;
  }

  @Override
  public void close() {
    if (weights != null) {
      weights.close();
    }
    if (checkpoint != null) {
      checkpoint.close();
    }
  }
}
