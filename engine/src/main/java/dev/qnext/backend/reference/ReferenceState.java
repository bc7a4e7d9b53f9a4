package dev.qnext.backend.reference;

import dev.qnext.backend.Pass;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * State in plain arrays.
 *
 * <p>Attention layers append keys and values behind {@link #length}; what is not accepted is
 * overwritten. A delta layer reads a verify pass from its base into a second array and records what
 * each token added; keeping all tokens swaps the two, keeping fewer replays the records on the
 * base: the same multiplications and additions in the same order, so bit for bit the same.
 */
final class ReferenceState implements State {
  private static final int MAGIC = 0x714E5831; // "qNX1"
  private static final int FIRST_TOKENS = 256;

  private final StateShape shape;
  private final long capacity;
  private final List<Layer> layers;
  private int length;
  private @Nullable Pass pass;
  private int passTokens;

  ReferenceState(StateShape shape, long capacity) {
    this(shape, Math.min(capacity, Integer.MAX_VALUE), new ArrayList<>(), 0);
    for (StateShape.Layer layer : shape.layers()) {
      layers.add(
          switch (layer) {
            case StateShape.Attention a -> new KeyValues(a.kvHeads() * a.headDim());
            case StateShape.Delta d -> new Recurrence(d);
          });
    }
  }

  private ReferenceState(StateShape shape, long capacity, List<Layer> layers, int length) {
    this.shape = shape;
    this.capacity = capacity;
    this.layers = layers;
    this.length = length;
  }

  private sealed interface Layer {
    void accept(boolean verified, int kept, int tokens);

    Layer copy(int length);

    void write(DataOutputStream out, int length) throws IOException;

    void read(DataInputStream in, int length) throws IOException;

    void clear();

    long bytes();
  }

  /** Keys, already normed and turned, and values: [positions, kvHeads * headDim] each. */
  static final class KeyValues implements Layer {
    private final int width;
    private float[] keys = new float[0];
    private float[] values = new float[0];

    KeyValues(int width) {
      this.width = width;
    }

    void reserve(int positions) {
      long needed = (long) positions * width;
      if (needed > Integer.MAX_VALUE - 8) {
        throw new IllegalStateException(
            "%d positions are too many for this backend".formatted(positions));
      }
      if (needed > keys.length) {
        int size =
            (int)
                Math.min(
                    Integer.MAX_VALUE - 8L,
                    Math.max(needed, Math.max(2L * keys.length, (long) FIRST_TOKENS * width)));
        keys = Arrays.copyOf(keys, size);
        values = Arrays.copyOf(values, size);
      }
    }

    float[] keys() {
      return keys;
    }

    float[] values() {
      return values;
    }

    @Override
    public void accept(boolean verified, int kept, int tokens) {}

    @Override
    public Layer copy(int length) {
      KeyValues copy = new KeyValues(width);
      copy.keys = Arrays.copyOf(keys, length * width);
      copy.values = Arrays.copyOf(values, length * width);
      return copy;
    }

    @Override
    public void write(DataOutputStream out, int length) throws IOException {
      for (int from = 0; from < length; ) {
        int to = blockEnd(from, length);
        writeFloats(out, keys, from * width, to * width);
        writeFloats(out, values, from * width, to * width);
        from = to;
      }
    }

    @Override
    public void read(DataInputStream in, int length) throws IOException {
      for (int from = 0; from < length; ) {
        int to = blockEnd(from, length);
        reserve(to);
        readFloats(in, keys, from * width, to * width);
        readFloats(in, values, from * width, to * width);
        from = to;
      }
    }

    /** Saved in growing blocks: a damaged length must not make {@link #read} take all memory. */
    private static int blockEnd(int from, int length) {
      return (int) Math.min(length, Math.max(FIRST_TOKENS, 2L * from));
    }

    @Override
    public void clear() {}

    @Override
    public long bytes() {
      return 4L * (keys.length + values.length);
    }
  }

  /**
   * Recurrent matrices [valueHeads, valueDim, keyDim] and the last inputs of the convolution
   * [kernel - 1, channels].
   */
  static final class Recurrence implements Layer {
    private final StateShape.Delta shape;
    private float[] base;
    private float[] next = new float[0];
    private float[] inputs;
    private boolean verifying;
    private @Nullable Record record;

    /** What the tokens of a pass did to the state. */
    @SuppressWarnings("ArrayRecordComponent")
    private record Record(Floats qkvz, float[] qkv, float[] decay, float[] deltas) {}

    Recurrence(StateShape.Delta shape) {
      this.shape = shape;
      this.base = new float[shape.valueHeads() * shape.valueDim() * shape.keyDim()];
      this.inputs = new float[(shape.kernel() - 1) * shape.channels()];
    }

    /** The matrices that the pass may change. */
    float[] writable() {
      if (!verifying) {
        return base;
      }
      if (next.length != base.length) {
        next = new float[base.length];
      }
      System.arraycopy(base, 0, next, 0, base.length);
      return next;
    }

    float[] convolutionInputs() {
      return inputs;
    }

    /** Keeps what {@link #accept} needs; the arrays are filled after this call. */
    void record(Floats qkvz, float[] qkv, float[] decay, float[] deltas) {
      record = new Record(qkvz, qkv, decay, deltas);
    }

    @Override
    public void accept(boolean verified, int kept, int tokens) {
      Record r = record;
      record = null;
      if (r == null || kept == 0) {
        return;
      }
      if (verified && kept == tokens) {
        float[] swap = base;
        base = next;
        next = swap;
      } else if (verified) {
        replay(r, kept);
      }
      shift(r.qkvz, kept);
    }

    private void replay(Record r, int kept) {
      int dim = shape.keyDim();
      int keys = shape.keyHeads() * dim;
      int heads = shape.valueHeads();
      int perKey = heads / shape.keyHeads();
      for (int t = 0; t < kept; t++) {
        for (int h = 0; h < heads; h++) {
          int k = t * shape.channels() + keys + h / perKey * dim;
          float decay = r.decay[t * heads + h];
          for (int i = 0; i < shape.valueDim(); i++) {
            int value = h * shape.valueDim() + i;
            float delta = r.deltas[t * heads * shape.valueDim() + value];
            int row = value * dim;
            for (int j = 0; j < dim; j++) {
              base[row + j] *= decay;
              base[row + j] += delta * r.qkv[k + j];
            }
          }
        }
      }
    }

    private void shift(Floats qkvz, int kept) {
      int taps = shape.kernel() - 1;
      int channels = shape.channels();
      float[] shifted = new float[inputs.length];
      for (int i = 0; i < taps; i++) {
        int at = kept - taps + i;
        if (at < 0) {
          System.arraycopy(inputs, (at + taps) * channels, shifted, i * channels, channels);
        } else {
          System.arraycopy(qkvz.values(), at * qkvz.columns(), shifted, i * channels, channels);
        }
      }
      inputs = shifted;
    }

    @Override
    public Layer copy(int length) {
      Recurrence copy = new Recurrence(shape);
      copy.base = base.clone();
      copy.inputs = inputs.clone();
      return copy;
    }

    @Override
    public void write(DataOutputStream out, int length) throws IOException {
      writeFloats(out, base, 0, base.length);
      writeFloats(out, inputs, 0, inputs.length);
    }

    @Override
    public void read(DataInputStream in, int length) throws IOException {
      readFloats(in, base, 0, base.length);
      readFloats(in, inputs, 0, inputs.length);
    }

    @Override
    public void clear() {
      Arrays.fill(base, 0);
      Arrays.fill(inputs, 0);
      record = null;
    }

    @Override
    public long bytes() {
      return 4L * (base.length + next.length + inputs.length);
    }
  }

  KeyValues keyValues(int layer) {
    return (KeyValues) layers.get(layer);
  }

  Recurrence recurrence(int layer) {
    Recurrence recurrence = (Recurrence) layers.get(layer);
    recurrence.verifying = pass == Pass.VERIFY;
    return recurrence;
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
    pass = newPass;
    passTokens = tokens;
  }

  @Override
  public void accept(int n) {
    if (pass == null) {
      throw new IllegalStateException("no pass is open");
    }
    if (n < 0 || n > passTokens || pass == Pass.PREFILL && n != passTokens) {
      throw new IllegalArgumentException("accept %d of %d tokens".formatted(n, passTokens));
    }
    for (Layer layer : layers) {
      layer.accept(pass == Pass.VERIFY, n, passTokens);
    }
    length += n;
    pass = null;
  }

  @Override
  public void rewind(long newLength) {
    requireClosed();
    if (newLength < 0 || newLength > length) {
      throw new IllegalArgumentException("rewind from %d to %d".formatted(length, newLength));
    }
    if (newLength == 0) {
      layers.forEach(Layer::clear);
    } else if (newLength != length && layers.stream().anyMatch(l -> l instanceof Recurrence)) {
      throw new UnsupportedOperationException("recurrent state cannot be cut");
    }
    length = (int) newLength;
  }

  private void requireClosed() {
    if (pass != null) {
      throw new IllegalStateException("a pass is open");
    }
  }

  @Override
  public State fork() {
    requireClosed();
    List<Layer> copies = new ArrayList<>();
    for (Layer layer : layers) {
      copies.add(layer.copy(length));
    }
    return new ReferenceState(shape, capacity, copies, length);
  }

  @Override
  public void save(OutputStream stream) throws IOException {
    requireClosed();
    CRC32C sum = new CRC32C();
    DataOutputStream out = new DataOutputStream(new CheckedOutputStream(stream, sum));
    out.writeInt(MAGIC);
    byte[] text = shape.toString().getBytes(StandardCharsets.UTF_8);
    out.writeInt(text.length);
    out.write(text);
    out.writeInt(length);
    for (Layer layer : layers) {
      layer.write(out, length);
    }
    out.writeInt((int) sum.getValue());
    out.flush();
  }

  @Override
  public void restore(InputStream stream) throws IOException {
    requireClosed();
    layers.forEach(Layer::clear);
    length = 0;
    CRC32C sum = new CRC32C();
    DataInputStream in = new DataInputStream(new CheckedInputStream(stream, sum));
    int saved;
    try {
      byte[] text = shape.toString().getBytes(StandardCharsets.UTF_8);
      if (in.readInt() != MAGIC
          || in.readInt() != text.length
          || !Arrays.equals(in.readNBytes(text.length), text)) {
        throw new IOException("not a saved state of this model");
      }
      saved = in.readInt();
      if (saved < 0 || saved > capacity) {
        throw new IOException(
            "the saved state has %d tokens, and there is room for %d".formatted(saved, capacity));
      }
      for (Layer layer : layers) {
        layer.read(in, saved);
      }
      int expected = (int) sum.getValue();
      if (in.readInt() != expected) {
        throw new IOException("the saved state is damaged");
      }
    } catch (IOException e) {
      layers.forEach(Layer::clear);
      throw e instanceof EOFException ? new IOException("the saved state is cut short", e) : e;
    }
    length = saved;
  }

  private static void writeFloats(DataOutputStream out, float[] values, int from, int to)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    for (int i = from; i < to; ) {
      int n = Math.min(buffer.capacity() / 4, to - i);
      buffer.asFloatBuffer().put(values, i, n);
      out.write(buffer.array(), 0, 4 * n);
      i += n;
    }
  }

  private static void readFloats(DataInputStream in, float[] values, int from, int to)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    for (int i = from; i < to; ) {
      int n = Math.min(buffer.capacity() / 4, to - i);
      in.readFully(buffer.array(), 0, 4 * n);
      buffer.asFloatBuffer().get(values, i, n);
      i += n;
    }
  }

  @Override
  public long bytes() {
    long bytes = 0;
    for (Layer layer : layers) {
      bytes += layer.bytes();
    }
    return bytes;
  }

  @Override
  public void close() {
    layers.clear();
  }
}
