package dev.qnext.mock;

import dev.qnext.backend.AddNorm;
import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.Backend;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.IntBinaryOperator;
import java.util.function.IntConsumer;
import java.util.function.IntUnaryOperator;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A model of one line: the hidden state behind a token is a hash of all tokens up to it, and the
 * logits are a hash of that. One wrong, missing or repeated token changes everything after it.
 *
 * <p>Works below {@link MockModel}, and below Qwen3Next of any checkpoint: the first delta net
 * layer reads the tokens, all else hands them on. Counts what is open, and fails on demand.
 *
 * <p>Deferred, it computes nothing before it is read or a prefill is accepted, and what is never
 * read not at all. Either way a tensor lives as long as its scope says and is refused afterwards.
 */
public final class MockBackend implements Backend {
  private static final long START = 0x243F6A8885A308D3L;

  private final int vocabulary;

  public boolean deferred;

  /** Called with the length of the state before the tokens of a pass are computed. */
  public IntConsumer beforeReading = length -> {};

  /** Called before a draw is computed, or logits are read. */
  public Runnable beforeSampling = () -> {};

  /** Called before each operation, with its name. */
  public Consumer<String> beforeOperation = name -> {};

  /** Puts another id in place of the one that was drawn for a position. */
  public IntBinaryOperator says = (position, drawn) -> drawn;

  /** Tokens of a prefill pass behind so many. */
  public IntUnaryOperator prefillTokens = length -> 512;

  /** Tokens of every pass since the start. */
  public final List<Integer> passes = new ArrayList<>();

  public boolean failClosingStates;
  public int openStates;
  public int openTensors;
  public int openWeights;
  public boolean closed;

  private final Deque<MockScope> scopes = new ArrayDeque<>();
  private @Nullable MockState newest;

  public MockBackend(int vocabulary) {
    this.vocabulary = vocabulary;
  }

  /** The logits behind a text: the definition that the passes must come to. */
  public static float[] logits(int vocabulary, int... ids) {
    long hash = START;
    for (int id : ids) {
      hash = next(hash, id);
    }
    return row(vocabulary, hash);
  }

  private static long next(long hash, int id) {
    return mix(hash + 0x9E3779B97F4A7C15L * (id + 1));
  }

  /** Even between -6 and 6. */
  private static float[] row(int vocabulary, long hash) {
    float[] row = new float[vocabulary];
    for (int id = 0; id < vocabulary; id++) {
      row[id] = (mix(hash ^ 0xD1B54A32D192ED03L * (id + 1)) >>> 40) * (12f / (1 << 24)) - 6;
    }
    return row;
  }

  private static long mix(long h) {
    h = (h ^ h >>> 30) * 0xBF58476D1CE4E5B9L;
    h = (h ^ h >>> 27) * 0x94D049BB133111EBL;
    return h ^ h >>> 31;
  }

  private static void check(boolean fine, String message) {
    if (!fine) {
      throw new AssertionError(message);
    }
  }

  // ----------------------------------------------------------------------------- values and
  // tensors

  /** Numbers that are computed when they are first asked for: ids or hashes, one a row. */
  private static final class Value {
    private @Nullable Supplier<long[]> computation;
    private long @Nullable [] rows;

    Value(Supplier<long[]> computation) {
      this.computation = computation;
    }

    long[] rows() {
      if (computation != null) {
        rows = computation.get();
        computation = null;
      }
      return Objects.requireNonNull(rows);
    }
  }

  private Value value(Supplier<long[]> computation) {
    Value value = new Value(computation);
    if (!deferred) {
      value.rows();
    }
    return value;
  }

  private enum Kind {
    IDS,
    HIDDEN,
    LOGITS
  }

  /** A handle on a value. Others may be computed from the value when the handle is gone. */
  private final class MockTensor implements Tensor {
    private final Kind kind;
    private final int rows;
    private final Value value;
    private @Nullable MockScope owner = scopes.peek();
    private boolean freed;

    MockTensor(Kind kind, int rows, Value value) {
      this.kind = kind;
      this.rows = rows;
      this.value = value;
      openTensors++;
      if (owner != null) {
        owner.tensors.add(this);
      }
    }

    @Override
    public int rows() {
      return rows;
    }

    @Override
    public int columns() {
      return kind == Kind.LOGITS ? vocabulary : 1;
    }

    void free() {
      check(!freed, "a tensor was freed twice");
      freed = true;
      openTensors--;
    }

    @Override
    public void close() {
      check(owner == null, "a tensor was closed that belongs to a scope");
      free();
    }
  }

  private Value in(Tensor tensor, Kind kind) {
    MockTensor mock = live(tensor);
    check(mock.kind == kind, "%s instead of %s".formatted(mock.kind, kind));
    return mock.value;
  }

  private static MockTensor live(Tensor tensor) {
    MockTensor mock = (MockTensor) tensor;
    check(!mock.freed, "a tensor was used after it was freed");
    return mock;
  }

  /** What hands its input on makes a tensor all the same. */
  private Tensor same(String operation, Tensor x) {
    beforeOperation.accept(operation);
    MockTensor mock = live(x);
    return new MockTensor(mock.kind, mock.rows, mock.value);
  }

  private final class MockScope implements Scope {
    private final List<MockTensor> tensors = new ArrayList<>();

    @Override
    public Tensor keep(Tensor tensor) {
      check(tensors.remove(live(tensor)), "a tensor was kept that is not of this scope");
      ((MockTensor) tensor).owner = null;
      return tensor;
    }

    @Override
    public void close() {
      check(scopes.poll() == this, "a scope was closed before those in it");
      tensors.forEach(MockTensor::free);
      tensors.clear();
    }
  }

  @Override
  public Scope scope() {
    beforeOperation.accept("scope");
    MockScope scope = new MockScope();
    scopes.push(scope);
    return scope;
  }

  // ------------------------------------------------------------------------------------------
  // state

  /** Strict about the order of calls; recurrent, so it cannot be cut. */
  private final class MockState implements State {
    private final long capacity;
    private Value hash = new Value(() -> new long[] {START});
    private int length;
    private @Nullable Value read;
    private int passTokens;
    private @Nullable Pass pass;
    private boolean freed;

    MockState(long capacity) {
      this.capacity = capacity;
      openStates++;
    }

    Tensor read(Tensor tokens) {
      requireOrder(
          pass != null && read == null && tokens.rows() == passTokens, "read out of order");
      Value ids = in(tokens, Kind.IDS);
      Value base = hash;
      int from = length;
      Value hashes =
          value(() -> {
            long h = base.rows()[0];
            long[] rows = ids.rows().clone();
            beforeReading.accept(from);
            for (int t = 0; t < rows.length; t++) {
              rows[t] = h = next(h, (int) rows[t]);
            }
            return rows;
          });
      read = hashes;
      return new MockTensor(Kind.HIDDEN, passTokens, hashes);
    }

    private void requireOrder(boolean fine, String message) {
      if (!fine || freed) {
        throw new IllegalStateException(freed ? "the state is closed" : message);
      }
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
      beforeOperation.accept("begin");
      requireOrder(pass == null, "a pass is open");
      requireOrder(newPass == Pass.PREFILL || tokens <= MAX_VERIFY, "too many tokens to verify");
      requireOrder(
          tokens > 0 && length + tokens <= capacity, "no room for %d tokens".formatted(tokens));
      pass = newPass;
      passTokens = tokens;
      passes.add(tokens);
    }

    @Override
    public void accept(int n) {
      beforeOperation.accept("accept");
      requireOrder(pass != null, "no pass is open");
      requireOrder(pass == Pass.VERIFY || n == passTokens, "a prefill keeps all");
      check(scopes.isEmpty(), "the scope of a pass is open when it is accepted");
      if (n > 0) {
        requireOrder(read != null, "nothing was read");
        Value all = Objects.requireNonNull(read);
        hash = value(() -> new long[] {all.rows()[n - 1]});
        if (pass == Pass.PREFILL) {
          hash.rows();
        }
        length += n;
      }
      read = null;
      pass = null;
    }

    @Override
    public void rewind(long newLength) {
      requireOrder(pass == null, "a pass is open");
      if (newLength != 0 && newLength != length) {
        throw new UnsupportedOperationException("recurrent state cannot be cut");
      }
      if (newLength == 0) {
        length = 0;
        hash = new Value(() -> new long[] {START});
      }
    }

    @Override
    public void fill(long tokens, long seed) {
      requireOrder(pass == null, "a pass is open");
      requireOrder(tokens <= capacity, "no room for %d tokens".formatted(tokens));
      length = (int) tokens;
      hash = new Value(() -> new long[] {mix(seed)});
    }

    @Override
    public State fork() {
      requireOrder(pass == null, "a pass is open");
      MockState copy = new MockState(capacity);
      copy.hash = hash;
      copy.length = length;
      return copy;
    }

    @Override
    public void save(OutputStream out) throws IOException {
      requireOrder(pass == null, "a pass is open");
      new DataOutputStream(out).writeLong(hash.rows()[0]);
      new DataOutputStream(out).writeInt(length);
    }

    @Override
    public void restore(InputStream in) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long bytes() {
      return 8;
    }

    @Override
    public void close() {
      if (failClosingStates) {
        throw new IllegalStateException("made up");
      }
      if (!freed) {
        freed = true;
        openStates--;
      }
    }
  }

  @Override
  public State newState(StateShape shape, long capacity) {
    newest = new MockState(capacity);
    return newest;
  }

  /** The state that was made last. */
  public State newestState() {
    return Objects.requireNonNull(newest);
  }

  /** Reads the tokens of the open pass. */
  Tensor read(Tensor tokens, State state) {
    beforeOperation.accept("read");
    return ((MockState) state).read(tokens);
  }

  // -------------------------------------------------------------------------------------
  // operations

  @Override
  public String name() {
    return "mock";
  }

  @Override
  public boolean deferred() {
    return deferred;
  }

  @Override
  public Weights bind(Checkpoint checkpoint, Layout layout) {
    openWeights++;
    return new Weights() {
      @Override
      public Weight get(String path) {
        return () -> path;
      }

      @Override
      public void close() {
        openWeights--;
      }
    };
  }

  @Override
  public int prefillTokens(long length) {
    return prefillTokens.applyAsInt((int) length);
  }

  @Override
  public Tensor tokens(int[] ids) {
    beforeOperation.accept("tokens");
    long[] rows = Arrays.stream(ids).asLongStream().toArray();
    return new MockTensor(Kind.IDS, ids.length, value(() -> rows));
  }

  @Override
  public Tensor embed(Weight table, Tensor tokens) {
    return same("embed", tokens);
  }

  @Override
  public Tensor linear(Weight weight, Tensor x) {
    return same("linear", x);
  }

  @Override
  public AddNorm addNorm(Tensor residual, @Nullable Tensor delta, Weight norm, float eps) {
    return new AddNorm(
        same("addNorm", residual), same("addNorm", delta == null ? residual : delta));
  }

  @Override
  public Tensor attention(
      AttentionArgs args, Tensor qGate, Tensor k, Tensor v, State state, int layer) {
    return same("attention", qGate);
  }

  @Override
  public Tensor deltaNet(DeltaArgs args, Tensor qkvz, Tensor ba, State state, int layer) {
    return layer == 0 ? read(qkvz, state) : same("deltaNet", qkvz);
  }

  @Override
  public Tensor experts(ExpertArgs args, Tensor x) {
    return same("experts", x);
  }

  @Override
  public Tensor swiglu(Tensor gate, Tensor up) {
    return same("swiglu", gate);
  }

  @Override
  public Tensor concat(Tensor a, Tensor b) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Tensor rows(Tensor x, Rows rows) {
    return slice("rows", x, rows, Kind.HIDDEN);
  }

  @Override
  public Tensor logits(Weight head, Tensor x, Rows rows) {
    return logits(x, rows);
  }

  Tensor logits(Tensor x, Rows rows) {
    return slice("logits", x, rows, Kind.LOGITS);
  }

  private Tensor slice(String operation, Tensor x, Rows rows, Kind kind) {
    beforeOperation.accept(operation);
    Value all = in(x, Kind.HIDDEN);
    int first = rows.first();
    int end = first + rows.count();
    check(end <= x.rows(), "rows %d to %d of %d".formatted(first, end, x.rows()));
    return new MockTensor(
        kind, rows.count(), value(() -> Arrays.copyOfRange(all.rows(), first, end)));
  }

  @Override
  public Tensor sample(Tensor logits, Sampling sampling, long position) {
    beforeOperation.accept("sample");
    Value hashes = in(logits, Kind.LOGITS);
    return new MockTensor(
        Kind.IDS,
        logits.rows(),
        value(() -> {
          long[] ids = hashes.rows().clone();
          beforeSampling.run();
          for (int t = 0; t < ids.length; t++) {
            int drawn = sampling.draw(row(vocabulary, ids[t]), position + t);
            ids[t] = says.applyAsInt((int) position + t, drawn);
          }
          return ids;
        }));
  }

  @Override
  public void start(Tensor tensor) {
    beforeOperation.accept("start");
    live(tensor);
    check(scopes.isEmpty(), "a scope is open when its work is started");
  }

  @Override
  public int[] readTokens(Tensor tokens) {
    beforeOperation.accept("readTokens");
    return Arrays.stream(in(tokens, Kind.IDS).rows()).mapToInt(Math::toIntExact).toArray();
  }

  @Override
  public void readFloats(Tensor tensor, MemorySegment into) {
    beforeOperation.accept("readFloats");
    Value hashes = in(tensor, Kind.LOGITS);
    long[] rows = hashes.rows();
    check(into.byteSize() == 4L * rows.length * vocabulary, "another size");
    beforeSampling.run();
    long offset = 0;
    for (long hash : rows) {
      for (float logit : row(vocabulary, hash)) {
        into.set(ValueLayout.JAVA_FLOAT_UNALIGNED, offset, logit);
        offset += 4;
      }
    }
  }

  @Override
  public void close() {
    closed = true;
  }
}
