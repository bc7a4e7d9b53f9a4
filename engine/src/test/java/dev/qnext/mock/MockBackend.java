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
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntBinaryOperator;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A model of one line: the hidden state behind a token is a hash of all tokens up to it, and the
 * logits are a hash of that. One wrong, missing or repeated token changes everything after it.
 *
 * <p>Works below {@link MockModel}, and below Qwen3Next of any checkpoint: the first delta net
 * layer reads the tokens, all else hands them on. Counts what is open, and fails on demand.
 */
public final class MockBackend implements Backend {
  private static final long START = 0x243F6A8885A308D3L;

  private final int vocabulary;

  /** Called with the length of the state before it reads the tokens of a pass. */
  public IntConsumer beforeReading = length -> {};

  /** Called before a token is drawn. */
  public Runnable beforeSampling = () -> {};

  /** Puts another id in place of the one that was drawn for a position. */
  public IntBinaryOperator says = (position, drawn) -> drawn;

  /** Tokens of every pass since the start. */
  public final List<Integer> passes = new ArrayList<>();

  public boolean failClosingStates;
  public int openStates;
  public int openWeights;
  public boolean closed;

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

  private record Ids(int[] ids) implements Tensor {
    @Override
    public int rows() {
      return ids.length;
    }

    @Override
    public int columns() {
      return 1;
    }
  }

  private record Hidden(long[] hashes) implements Tensor {
    @Override
    public int rows() {
      return hashes.length;
    }

    @Override
    public int columns() {
      return 1;
    }
  }

  private record Logits(int columns, long[] hashes) implements Tensor {
    @Override
    public int rows() {
      return hashes.length;
    }
  }

  /** Strict about the order of calls; recurrent, so it cannot be cut. */
  private final class MockState implements State {
    private final long capacity;
    private long hash = START;
    private int length;
    private long @Nullable [] read;
    private int passTokens;
    private @Nullable Pass pass;
    private boolean freed;

    MockState(long capacity) {
      this.capacity = capacity;
      openStates++;
    }

    Hidden read(int[] ids) {
      check(pass != null && read == null && ids.length == passTokens, "read out of order");
      beforeReading.accept(length);
      long[] hashes = new long[ids.length];
      long h = hash;
      for (int t = 0; t < ids.length; t++) {
        hashes[t] = h = next(h, ids[t]);
      }
      read = hashes;
      return new Hidden(hashes);
    }

    private void check(boolean fine, String message) {
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
      check(pass == null, "a pass is open");
      check(newPass == Pass.PREFILL || tokens <= MAX_VERIFY, "too many tokens to verify");
      check(tokens > 0 && length + tokens <= capacity, "no room for %d tokens".formatted(tokens));
      pass = newPass;
      passTokens = tokens;
      passes.add(tokens);
    }

    @Override
    public void accept(int n) {
      check(pass != null, "no pass is open");
      check(pass == Pass.VERIFY || n == passTokens, "a prefill keeps all");
      if (n > 0) {
        check(read != null, "nothing was read");
        hash = java.util.Objects.requireNonNull(read)[n - 1];
        length += n;
      }
      read = null;
      pass = null;
    }

    @Override
    public void rewind(long newLength) {
      check(pass == null, "a pass is open");
      if (newLength != 0 && newLength != length) {
        throw new UnsupportedOperationException("recurrent state cannot be cut");
      }
      if (newLength == 0) {
        length = 0;
        hash = START;
      }
    }

    @Override
    public State fork() {
      check(pass == null, "a pass is open");
      MockState copy = new MockState(capacity);
      copy.hash = hash;
      copy.length = length;
      return copy;
    }

    @Override
    public void save(java.io.OutputStream out) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void restore(java.io.InputStream in) {
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
  public String name() {
    return "mock";
  }

  @Override
  public boolean deferred() {
    return false;
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
  public State newState(StateShape shape, long capacity) {
    return new MockState(capacity);
  }

  /** Reads the tokens of the open pass. */
  Tensor read(Tensor tokens, State state) {
    return ((MockState) state).read(((Ids) tokens).ids());
  }

  @Override
  public Scope scope() {
    return new Scope() {
      @Override
      public Tensor keep(Tensor tensor) {
        return tensor;
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public int prefillTokens(long length) {
    return 512;
  }

  @Override
  public Tensor tokens(int[] ids) {
    return new Ids(ids.clone());
  }

  @Override
  public Tensor embed(Weight table, Tensor tokens) {
    return tokens;
  }

  @Override
  public Tensor linear(Weight weight, Tensor x) {
    return x;
  }

  @Override
  public AddNorm addNorm(Tensor residual, @Nullable Tensor delta, Weight norm, float eps) {
    return new AddNorm(residual, delta == null ? residual : delta);
  }

  @Override
  public Tensor attention(
      AttentionArgs args, Tensor qGate, Tensor k, Tensor v, State state, int layer) {
    return qGate;
  }

  @Override
  public Tensor deltaNet(DeltaArgs args, Tensor qkvz, Tensor ba, State state, int layer) {
    return layer == 0 ? read(qkvz, state) : qkvz;
  }

  @Override
  public Tensor experts(ExpertArgs args, Tensor x) {
    return x;
  }

  @Override
  public Tensor swiglu(Tensor gate, Tensor up) {
    return gate;
  }

  @Override
  public Tensor concat(Tensor a, Tensor b) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Tensor rows(Tensor x, Rows rows) {
    return new Hidden(hashes((Hidden) x, rows));
  }

  @Override
  public Tensor logits(Weight head, Tensor x, Rows rows) {
    return logits(x, rows);
  }

  Tensor logits(Tensor x, Rows rows) {
    return new Logits(vocabulary, hashes((Hidden) x, rows));
  }

  private static long[] hashes(Hidden x, Rows rows) {
    return java.util.Arrays.copyOfRange(x.hashes(), rows.first(), rows.first() + rows.count());
  }

  @Override
  public Tensor sample(Tensor logits, Sampling sampling, long position) {
    beforeSampling.run();
    long[] hashes = ((Logits) logits).hashes();
    int[] ids = new int[hashes.length];
    for (int t = 0; t < ids.length; t++) {
      int drawn = sampling.draw(row(vocabulary, hashes[t]), position + t);
      ids[t] = says.applyAsInt((int) position + t, drawn);
    }
    return new Ids(ids);
  }

  @Override
  public void start(Tensor tensor) {}

  @Override
  public int[] readTokens(Tensor tokens) {
    return ((Ids) tokens).ids().clone();
  }

  @Override
  public void readFloats(Tensor tensor, MemorySegment into) {
    beforeSampling.run();
    long offset = 0;
    for (long hash : ((Logits) tensor).hashes()) {
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
