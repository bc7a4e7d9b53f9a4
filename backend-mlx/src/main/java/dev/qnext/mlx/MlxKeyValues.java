package dev.qnext.mlx;

import dev.qnext.backend.StateShape;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxType;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Keys, normed and turned, and values: buffers [1, kvHeads, room, headDim], of which the first
 * positions count.
 */
final class MlxKeyValues implements MlxState.Layer {
  private static final int STEP = 256;

  private final Mlx mlx;
  private final MlxType type;
  private final StateShape.Attention shape;
  private final long capacity;
  private @Nullable MlxArray keys;
  private @Nullable MlxArray values;
  private int room;

  MlxKeyValues(Mlx mlx, MlxType type, StateShape.Attention shape, long capacity) {
    this.mlx = mlx;
    this.type = type;
    this.shape = shape;
    this.capacity = capacity;
  }

  /** Writes keys and values [1, kvHeads, T, headDim] behind {@code first}. */
  void append(MlxArray k, MlxArray v, int first, int tokens) {
    reserve(first, first + tokens);
    keys = write(keys, k, first);
    values = write(values, v, first);
  }

  private MlxArray write(@Nullable MlxArray buffer, MlxArray x, int first) {
    try (MlxArray before = Objects.requireNonNull(buffer)) {
      // Its handle goes with this block: a buffer that nobody else holds is written in place.
      return mlx.keep(mlx.sliceUpdate(before, x, 2, first));
    }
  }

  private void reserve(int used, int needed) {
    if (needed <= room) {
      return;
    }
    room = roomFor(needed);
    keys = grow(keys, used);
    values = grow(values, used);
  }

  /** In steps that grow with the length, so that copying stays a small share of the work. */
  private int roomFor(int needed) {
    long grown = needed + (long) Math.max(STEP, needed / 8);
    return (int) Math.min((grown + STEP - 1) / STEP * STEP, Math.max(needed, capacity));
  }

  /** Bytes by which the buffers will grow when so many tokens are needed. */
  long growth(int needed) {
    return needed <= room
        ? 0
        : 2L * (roomFor(needed) - room) * shape.kvHeads() * shape.headDim() * type.bytes();
  }

  private MlxArray grow(@Nullable MlxArray buffer, int used) {
    MlxArray larger = mlx.zeros(type, 1, shape.kvHeads(), room, shape.headDim());
    if (buffer == null) {
      return mlx.keep(larger);
    }
    try (buffer) {
      return mlx.keep(
          used == 0 ? larger : mlx.sliceUpdate(larger, mlx.slice(buffer, 2, 0, used), 2, 0));
    }
  }

  MlxArray keys(int count) {
    return mlx.slice(Objects.requireNonNull(keys), 2, 0, count);
  }

  MlxArray values(int count) {
    return mlx.slice(Objects.requireNonNull(values), 2, 0, count);
  }

  @Override
  public void accept(int kept, int tokens) {}

  @Override
  public void clear() {}

  @Override
  public void share(MlxState.Layer other) {
    MlxKeyValues from = (MlxKeyValues) other;
    room = from.room;
    keys = from.keys == null ? null : mlx.keep(mlx.share(from.keys));
    values = from.values == null ? null : mlx.keep(mlx.share(from.values));
  }

  @Override
  public List<MlxArray> held() {
    return keys == null || values == null ? List.of() : List.of(keys, values);
  }

  @Override
  public List<MlxArray> arrays(int length) {
    return length == 0 ? List.of() : List.of(keys(length), values(length));
  }

  @Override
  public List<int[]> shapes(int length) {
    int[] each = {1, shape.kvHeads(), length, shape.headDim()};
    return length == 0 ? List.of() : List.of(each, each);
  }

  @Override
  public MlxType savedType() {
    return type;
  }

  @Override
  public void adopt(List<MlxArray> arrays) {
    close();
    if (!arrays.isEmpty()) {
      keys = mlx.keep(arrays.get(0));
      values = mlx.keep(arrays.get(1));
      room = mlx.dimension(arrays.get(0), 2);
    }
  }

  @Override
  public void close() {
    if (keys != null) {
      keys.close();
    }
    if (values != null) {
      values.close();
    }
    keys = null;
    values = null;
    room = 0;
  }
}
