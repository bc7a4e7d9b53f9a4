package dev.qnext.mlx;

import dev.qnext.backend.StateShape;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxType;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The matrices of a delta layer [1, key heads, rows of all value heads of one, keyDim] in f32, and
 * the last inputs of its convolution [1, channels] each, the oldest first.
 */
final class MlxRecurrence implements MlxState.Layer {
  private final Mlx mlx;
  private final MlxType type;
  private final StateShape.Delta shape;
  private MlxArray base;
  private final List<MlxArray> past = new ArrayList<>();

  /**
   * Of the open pass: rows read, the state behind all of them, and of a verify pass each token's
   * step.
   */
  private List<MlxArray> rows = List.of();

  private @Nullable MlxArray next;
  private List<MlxDeltaNet.Step> steps = List.of();
  private @Nullable MlxDeltaNet net;

  MlxRecurrence(Mlx mlx, MlxType type, StateShape.Delta shape) {
    this.mlx = mlx;
    this.type = type;
    this.shape = shape;
    this.base = zeros();
    for (int i = 0; i < shape.kernel() - 1; i++) {
      past.add(mlx.keep(mlx.zeros(type, 1, shape.channels())));
    }
  }

  private MlxArray zeros() {
    int[] size = matrices();
    return mlx.keep(mlx.zeros(MlxType.FLOAT32, size));
  }

  private int[] matrices() {
    int rows = shape.valueHeads() / shape.keyHeads() * shape.valueDim();
    return new int[] {1, shape.keyHeads(), rows, shape.keyDim()};
  }

  MlxArray base() {
    return base;
  }

  List<MlxArray> past() {
    return past;
  }

  /** Whoever reads the pass can replay it. */
  MlxRecurrence by(MlxDeltaNet reader) {
    net = reader;
    return this;
  }

  void read(List<MlxArray> newRows, MlxArray behind, List<MlxDeltaNet.Step> newSteps) {
    forget();
    newRows.forEach(mlx::keep);
    rows = newRows;
    next = mlx.keep(behind);
    steps = newSteps;
    for (MlxDeltaNet.Step step : newSteps) {
      for (MlxArray array : step.arrays()) {
        mlx.keep(array);
      }
    }
  }

  private void forget() {
    rows.forEach(MlxArray::close);
    if (next != null) {
      next.close();
    }
    for (MlxDeltaNet.Step step : steps) {
      step.arrays().forEach(MlxArray::close);
    }
    rows = List.of();
    next = null;
    steps = List.of();
  }

  @Override
  public void accept(int kept, int tokens) {
    MlxArray behind = next;
    if (behind == null) {
      return;
    }
    if (kept == tokens) {
      base.close();
      base = mlx.keep(mlx.share(behind));
    } else if (kept > 0) {
      MlxArray s = base;
      for (MlxDeltaNet.Step step : steps.subList(0, kept)) {
        s = Objects.requireNonNull(net).replay(s, step);
      }
      base.close();
      base = mlx.keep(s);
    }
    // A prefill hands over only the rows that count.
    int from = rows.size() - tokens;
    for (MlxArray row : rows.subList(0, Math.max(0, Math.min(rows.size(), kept + from)))) {
      past.add(mlx.keep(mlx.share(row)));
    }
    while (past.size() > shape.kernel() - 1) {
      past.removeFirst().close();
    }
    forget();
  }

  @Override
  public void clear() {
    forget();
    base.close();
    base = zeros();
    for (int i = 0; i < past.size(); i++) {
      past.set(i, mlx.keep(mlx.zeros(type, 1, shape.channels()))).close();
    }
  }

  @Override
  public void share(MlxState.Layer other) {
    MlxRecurrence from = (MlxRecurrence) other;
    base.close();
    base = mlx.keep(mlx.share(from.base));
    for (int i = 0; i < past.size(); i++) {
      past.set(i, mlx.keep(mlx.share(from.past.get(i)))).close();
    }
  }

  @Override
  public List<MlxArray> held() {
    List<MlxArray> held = new ArrayList<>(past);
    held.add(base);
    return held;
  }

  @Override
  public List<MlxArray> arrays(int length) {
    List<MlxArray> arrays = new ArrayList<>();
    arrays.add(base);
    // Their numbers are those of the activations; as f32 they lose nothing, and one type is simpler
    // in the file.
    past.forEach(row -> arrays.add(mlx.asType(row, MlxType.FLOAT32)));
    return arrays;
  }

  @Override
  public List<int[]> shapes(int length) {
    List<int[]> shapes = new ArrayList<>();
    shapes.add(matrices());
    past.forEach(row -> shapes.add(new int[] {1, shape.channels()}));
    return shapes;
  }

  @Override
  public MlxType savedType() {
    return MlxType.FLOAT32;
  }

  @Override
  public void adopt(List<MlxArray> arrays) {
    base.close();
    base = mlx.keep(arrays.getFirst());
    for (int i = 0; i < past.size(); i++) {
      past.set(i, mlx.keep(mlx.asType(arrays.get(i + 1), type))).close();
    }
  }

  @Override
  public void close() {
    forget();
    base.close();
    past.forEach(MlxArray::close);
    past.clear();
  }
}
