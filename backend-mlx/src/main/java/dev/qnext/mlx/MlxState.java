package dev.qnext.mlx;

import dev.qnext.backend.Pass;
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
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * State as handles of arrays, most of them not computed when they are stored: a pass leaves new
 * handles beside the old ones, and {@link #accept} chooses. A fork shares all arrays until one side
 * writes.
 */
final class MlxState implements State {
  private static final int MAGIC = 0x714E584D; // "qNXM"
  private static final int BLOCK = 1 << 24;
  private static final int MOST_AT_ONCE = 512;

  private final Mlx mlx;
  private final MlxType type;
  private final MlxLimits limits;
  private final StateShape shape;
  private final long capacity;
  private final List<Layer> layers = new ArrayList<>();
  private int length;
  private @Nullable Pass pass;
  private int passTokens;

  MlxState(Mlx mlx, MlxType type, MlxLimits limits, StateShape shape, long capacity) {
    this.mlx = mlx;
    this.type = type;
    this.limits = limits;
    this.shape = shape;
    this.capacity = Math.min(capacity, Integer.MAX_VALUE);
    for (StateShape.Layer layer : shape.layers()) {
      layers.add(
          switch (layer) {
            case StateShape.Attention a -> new MlxKeyValues(mlx, type, a, this.capacity);
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

  /** The kind of the open pass. */
  Pass pass() {
    return Objects.requireNonNull(pass);
  }

  /** The position of the open pass's first token, which has so many tokens. */
  int first(int tokens) {
    if (pass == null || tokens != passTokens) {
      throw new IllegalStateException(
          "%d tokens in a pass of %d".formatted(tokens, pass == null ? 0 : passTokens));
    }
    return length;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public long capacity() {
    return capacity;
  }

  @Override
  public void begin(Pass newPass, int tokens) {
    if (pass != null) {
      throw new IllegalStateException("a pass is open");
    }
    if (tokens < 1 || newPass == Pass.VERIFY && tokens > MAX_VERIFY) {
      throw new IllegalArgumentException("a %s pass of %d tokens".formatted(newPass, tokens));
    }
    if (length + (long) tokens > capacity) {
      throw new IllegalArgumentException(
          "%d tokens do not fit behind %d of %d".formatted(tokens, length, capacity));
    }
    requireMemory(length + tokens);
    pass = newPass;
    passTokens = tokens;
  }

  /** A pass that would grow the caches beyond what there is fails before it begins. */
  private void requireMemory(int needed) {
    long growth = 0;
    for (Layer layer : layers) {
      growth += layer instanceof MlxKeyValues cache ? cache.growth(needed) : 0;
    }
    if (growth > 0) {
      limits.requireContext(growth, needed);
    }
  }

  @Override
  public void accept(int n) {
    if (pass == null) {
      throw new IllegalStateException("no pass is open");
    }
    if (n < 0 || n > passTokens || pass == Pass.PREFILL && n != passTokens) {
      throw new IllegalArgumentException("accept %d of %d tokens".formatted(n, passTokens));
    }
    try (MlxArena arena = mlx.arena()) {
      for (Layer layer : layers) {
        layer.accept(n, passTokens);
      }
      length += n;
      if (pass == Pass.PREFILL) {
        // The pass's intermediate results go back before the next one makes its own.
        MlxBackend.guarded(this::eval);
        if (passTokens > MAX_VERIFY) {
          MlxMemory.clearCache();
        }
      }
    } finally {
      pass = null;
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
  public void rewind(long newLength) {
    requireClosed();
    if (newLength < 0 || newLength > length) {
      throw new IllegalArgumentException("rewind from %d to %d".formatted(length, newLength));
    }
    if (newLength == 0) {
      clear();
    } else if (newLength != length && layers.stream().anyMatch(l -> l instanceof MlxRecurrence)) {
      throw new UnsupportedOperationException("recurrent state cannot be cut");
    }
    length = (int) newLength;
  }

  private void clear() {
    length = 0;
    try (MlxArena arena = mlx.arena()) {
      layers.forEach(Layer::clear);
    }
  }

  private void requireClosed() {
    if (pass != null) {
      throw new IllegalStateException("a pass is open");
    }
  }

  @Override
  public State fork() {
    requireClosed();
    try (MlxArena arena = mlx.arena()) {
      MlxState fork = new MlxState(mlx, type, limits, shape, capacity);
      for (int i = 0; i < layers.size(); i++) {
        fork.layers.get(i).share(layers.get(i));
      }
      fork.length = length;
      return fork;
    }
  }

  @Override
  public void save(OutputStream stream) throws IOException {
    requireClosed();
    CRC32C sum = new CRC32C();
    DataOutputStream out = new DataOutputStream(new CheckedOutputStream(stream, sum));
    out.writeInt(MAGIC);
    byte[] text = signature();
    out.writeInt(text.length);
    out.write(text);
    out.writeInt(length);
    for (Layer layer : layers) {
      try (MlxArena arrays = mlx.arena();
          Arena memory = Arena.ofConfined()) {
        for (MlxArray array : layer.arrays(length)) {
          MemorySegment bytes = memory.allocate(mlx.bytes(array), 8);
          MlxBackend.guarded(() -> mlx.read(array, bytes));
          write(bytes, out);
        }
      }
    }
    out.writeInt((int) sum.getValue());
    out.flush();
  }

  /** Which states may be exchanged: of one shape, with caches of one type. */
  private byte[] signature() {
    return (type + " " + shape).getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public void restore(InputStream stream) throws IOException {
    requireClosed();
    clear();
    CRC32C sum = new CRC32C();
    DataInputStream in = new DataInputStream(new CheckedInputStream(stream, sum));
    try (MlxArena arena = mlx.arena()) {
      byte[] text = signature();
      if (in.readInt() != MAGIC
          || in.readInt() != text.length
          || !Arrays.equals(in.readNBytes(text.length), text)) {
        throw new IOException("not a saved state of this model");
      }
      int saved = in.readInt();
      if (saved < 0 || saved > capacity) {
        throw new IOException(
            "the saved state has %d tokens, and there is room for %d".formatted(saved, capacity));
      }
      for (Layer layer : layers) {
        List<MlxArray> arrays = new ArrayList<>();
        for (int[] size : layer.shapes(saved)) {
          arrays.add(read(in, layer.savedType(), size));
        }
        layer.adopt(arrays);
      }
      int expected = (int) sum.getValue();
      if (in.readInt() != expected) {
        throw new IOException("the saved state is damaged");
      }
      length = saved;
    } catch (EOFException e) {
      clear();
      throw new IOException("the saved state is cut short", e);
    } catch (MlxException e) {
      clear();
      throw MlxBackend.failed(e);
    } catch (Throwable e) {
      clear();
      throw e;
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
