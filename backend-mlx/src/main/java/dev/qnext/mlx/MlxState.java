package dev.qnext.mlx;

import dev.qnext.backend.Pass;
import dev.qnext.backend.PassState;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArena;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxMemory;
import dev.qnext.mlx.face.MlxType;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * State as handles of arrays, most of them not computed when they are stored: a pass leaves new
 * handles beside the old ones, and {@link #accept} chooses. A fork shares all arrays until one side
 * writes.
 */
final class MlxState extends PassState {
  private static final int MAGIC = 0x714E584D; // "qNXM"
  private static final int BLOCK = 1 << 24;
  private static final int MOST_AT_ONCE = 512;

  private final Mlx mlx;
  private final MlxType type;
  private final MlxLimits limits;
  private final StateShape shape;
  private final List<Layer> layers = new ArrayList<>();

  MlxState(Mlx mlx, MlxType type, MlxLimits limits, StateShape shape, long capacity) {
    // Which states may be exchanged: of one shape, with caches of one type.
    super(MAGIC, type + " " + shape, capacity);
    this.mlx = mlx;
    this.type = type;
    this.limits = limits;
    this.shape = shape;
    for (StateShape.Layer layer : shape.layers()) {
      layers.add(
          switch (layer) {
            case StateShape.Attention a -> new MlxKeyValues(mlx, type, a, capacity());
            case StateShape.Delta d -> new MlxRecurrence(mlx, type, d);
          });
    }
  }

  /** What one layer remembers. */
  sealed interface Layer permits MlxKeyValues, MlxRecurrence {
    void accept(int kept, int tokens);

    void clear();

    /** Takes over the other's arrays, shared. */
    void share(Layer other);

    /** All arrays behind the accepted tokens. */
    List<MlxArray> held();

    /** Arrays that hold the first {@code length} tokens. */
    List<MlxArray> arrays(int length);

    /** Takes over arrays as {@link #arrays} gave them. */
    void adopt(List<MlxArray> arrays);

    /** Shapes and types of {@link #arrays}. */
    List<int[]> shapes(int length);

    MlxType savedType();

    void close();
  }

  MlxKeyValues keyValues(int layer) {
    return (MlxKeyValues) layers.get(layer);
  }

  MlxRecurrence recurrence(int layer) {
    return (MlxRecurrence) layers.get(layer);
  }

  /** A pass that would grow the caches beyond what there is fails before it begins. */
  @Override
  protected void prepare(int needed) {
    long growth = 0;
    for (Layer layer : layers) {
      growth += layer instanceof MlxKeyValues cache ? cache.growth(needed) : 0;
    }
    if (growth > 0) {
      limits.requireContext(growth, needed);
    }
  }

  @Override
  protected void keep(Pass closing, int n, int tokens) {
    try (MlxArena arena = mlx.arena()) {
      for (Layer layer : layers) {
        layer.accept(n, tokens);
      }
      if (closing == Pass.PREFILL) {
        // The pass's intermediate results go back before the next one makes its own.
        MlxBackend.guarded(this::eval);
        if (tokens > MAX_VERIFY) {
          MlxMemory.clearCache();
        }
      }
    }
  }

  void eval() {
    List<MlxArray> all = new ArrayList<>();
    layers.forEach(layer -> all.addAll(layer.held()));
    for (int from = 0; from < all.size(); from += MOST_AT_ONCE) {
      mlx.eval(
          all.subList(from, Math.min(all.size(), from + MOST_AT_ONCE)).toArray(MlxArray[]::new));
    }
  }

  @Override
  protected void forget() {
    try (MlxArena arena = mlx.arena()) {
      layers.forEach(Layer::clear);
    }
  }

  @Override
  protected void randomize(int tokens, SplittableRandom random) {
    try (MlxArena arena = mlx.arena()) {
      for (Layer layer : layers) {
        float most = layer instanceof MlxKeyValues ? 1 : 1 / 16f;
        List<MlxArray> arrays = new ArrayList<>();
        for (int[] size : layer.shapes(tokens)) {
          arrays.add(mlx.asType(random(size, most, random), layer.savedType()));
        }
        layer.adopt(arrays);
      }
      MlxBackend.guarded(this::eval);
    }
  }

  private MlxArray random(int[] size, float most, SplittableRandom random) {
    long count = 1;
    for (int n : size) {
      count *= n;
    }
    try (Arena memory = Arena.ofConfined()) {
      MemorySegment data = memory.allocate(ValueLayout.JAVA_FLOAT, count);
      for (long i = 0; i < count; i++) {
        data.setAtIndex(ValueLayout.JAVA_FLOAT, i, most * (random.nextInt() * 0x1p-31f));
      }
      return mlx.array(data, MlxType.FLOAT32, size);
    }
  }

  @Override
  protected boolean isRecurrent() {
    return layers.stream().anyMatch(l -> l instanceof MlxRecurrence);
  }

  @Override
  public State fork() {
    requireClosed();
    try (MlxArena arena = mlx.arena()) {
      MlxState fork = new MlxState(mlx, type, limits, shape, capacity());
      for (int i = 0; i < layers.size(); i++) {
        fork.layers.get(i).share(layers.get(i));
      }
      fork.holds((int) length());
      return fork;
    }
  }

  @Override
  protected void write(DataOutputStream out, int tokens) throws IOException {
    for (Layer layer : layers) {
      try (MlxArena arrays = mlx.arena();
          Arena memory = Arena.ofConfined()) {
        for (MlxArray array : layer.arrays(tokens)) {
          MemorySegment bytes = memory.allocate(mlx.bytes(array), 8);
          MlxBackend.guarded(() -> mlx.read(array, bytes));
          write(bytes, out);
        }
      }
    }
  }

  @Override
  protected void read(DataInputStream in, int tokens) throws IOException {
    try (MlxArena arena = mlx.arena()) {
      for (Layer layer : layers) {
        List<MlxArray> arrays = new ArrayList<>();
        for (int[] size : layer.shapes(tokens)) {
          arrays.add(read(in, layer.savedType(), size));
        }
        layer.adopt(arrays);
      }
    } catch (MlxException e) {
      throw MlxBackend.failed(e);
    }
  }

  private MlxArray read(DataInputStream in, MlxType stored, int[] size) throws IOException {
    long bytes = stored.bytes();
    for (int n : size) {
      bytes *= n;
    }
    // Block by block: a damaged length must not take all memory before the file's end shows.
    List<byte[]> blocks = new ArrayList<>();
    for (long have = 0; have < bytes; ) {
      byte[] block = in.readNBytes((int) Math.min(BLOCK, bytes - have));
      if (block.length == 0) {
        throw new EOFException();
      }
      blocks.add(block);
      have += block.length;
    }
    try (Arena memory = Arena.ofConfined()) {
      MemorySegment data = memory.allocate(bytes, 8);
      long at = 0;
      for (byte[] block : blocks) {
        MemorySegment.copy(block, 0, data, ValueLayout.JAVA_BYTE, at, block.length);
        at += block.length;
      }
      return mlx.array(data, stored, size);
    }
  }

  private static void write(MemorySegment bytes, OutputStream out) throws IOException {
    byte[] block = new byte[(int) Math.min(BLOCK, bytes.byteSize())];
    for (long at = 0; at < bytes.byteSize(); at += block.length) {
      int n = (int) Math.min(block.length, bytes.byteSize() - at);
      MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, block, 0, n);
      out.write(block, 0, n);
    }
  }

  @Override
  public long bytes() {
    long bytes = 0;
    for (Layer layer : layers) {
      for (MlxArray array : layer.held()) {
        bytes += mlx.bytes(array);
      }
    }
    return bytes;
  }

  @Override
  public void close() {
    layers.forEach(Layer::close);
    layers.clear();
  }
}
