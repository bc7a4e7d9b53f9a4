package dev.qnext.backend.reference;

import dev.qnext.backend.Pass;
import dev.qnext.backend.PassState;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * State in plain arrays.
 *
 * <p>Attention layers append keys and values behind {@link #length}; what is not accepted is
 * overwritten. A delta layer reads a verify pass from its base into a second array and records what
 * each token added; keeping all tokens swaps the two, keeping fewer replays the records on the
 * base: the same multiplications and additions in the same order, so bit for bit the same.
 */
final class ReferenceState extends PassState {
  private static final int MAGIC = 0x714E5831; // "qNX1"
  private static final int FIRST_TOKENS = 256;

  private final StateShape shape;
  private final List<Layer> layers;

  ReferenceState(StateShape shape, long capacity) {
    this(shape, capacity, new ArrayList<>());
    for (StateShape.Layer layer : shape.layers()) {
      layers.add(
          switch (layer) {
            case StateShape.Attention a -> new KeyValues(a.kvHeads() * a.headDim());
            case StateShape.Delta d -> new Recurrence(d);
          });
    }
  }

  private ReferenceState(StateShape shape, long capacity, List<Layer> layers) {
    super(MAGIC, shape.toString(), capacity);
    this.shape = shape;
    this.layers = layers;
  }

  private sealed interface Layer {
    void accept(boolean verified, int kept, int tokens);

    Layer copy(int length);

    void write(DataOutputStream out, int length) throws IOException;

    void read(DataInputStream in, int length) throws IOException;

    void clear();

    void randomize(int length, SplittableRandom random);

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
    public void randomize(int length, SplittableRandom random) {
      reserve(length);
      fill(keys, length * width, 1, random);
      fill(values, length * width, 1, random);
    }

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
    public void randomize(int length, SplittableRandom random) {
      fill(base, base.length, 1 / 16f, random);
      fill(inputs, inputs.length, 1 / 16f, random);
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
    recurrence.verifying = pass() == Pass.VERIFY;
    return recurrence;
  }

  @Override
  protected void keep(Pass closing, int n, int tokens) {
    for (Layer layer : layers) {
      layer.accept(closing == Pass.VERIFY, n, tokens);
    }
  }

  @Override
  protected void forget() {
    layers.forEach(Layer::clear);
  }

  @Override
  protected void randomize(int tokens, SplittableRandom random) {
    for (Layer layer : layers) {
      layer.randomize(tokens, random);
    }
  }

  private static void fill(float[] values, int count, float most, SplittableRandom random) {
    for (int i = 0; i < count; i++) {
      values[i] = most * (random.nextInt() * 0x1p-31f);
    }
  }

  @Override
  protected boolean isRecurrent() {
    return layers.stream().anyMatch(l -> l instanceof Recurrence);
  }

  @Override
  public State fork() {
    requireClosed();
    int length = (int) length();
    List<Layer> copies = new ArrayList<>();
    for (Layer layer : layers) {
      copies.add(layer.copy(length));
    }
    ReferenceState fork = new ReferenceState(shape, capacity(), copies);
    fork.holds(length);
    return fork;
  }

  @Override
  protected void write(DataOutputStream out, int tokens) throws IOException {
    for (Layer layer : layers) {
      layer.write(out, tokens);
    }
  }

  @Override
  protected void read(DataInputStream in, int tokens) throws IOException {
    for (Layer layer : layers) {
      layer.read(in, tokens);
    }
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
