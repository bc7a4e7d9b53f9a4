package dev.qnext.cpu;

import dev.qnext.QnextException;
import dev.qnext.backend.AddNorm;
import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.Backend;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Peaks;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Layout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The seam over our own C kernels: one downcall per operation, computed at once on a pool of native
 * threads. Activations are f32 between operations, and 8 bits per number inside the products with
 * quantized weights. The bits of a row depend on nothing but that row's past.
 */
public final class CpuBackend implements Backend {
  /** How long each peak is measured. */
  private static final double PEAK_SECONDS = 0.4;

  private final CpuMemory memory = new CpuMemory();
  private final CpuStructs structs = new CpuStructs();
  private final @Nullable String kernels;
  private CpuContext context;
  private float[] row = new float[0];

  CpuBackend(int threads, @Nullable String kernels) {
    this.kernels = kernels;
    this.context = new CpuContext(threads, kernels);
  }

  /** Turns a C function's status into an exception. */
  static void check(int status) {
    if (status != 0) {
      throw new QnextException(
          "there is not enough memory for this pass; use a smaller model or a shorter context");
    }
  }

  /** A pointer that a C function has made; it makes none where memory has run out. */
  static long made(long pointer) {
    check(pointer == 0 ? 1 : 0);
    return pointer;
  }

  @Override
  public String name() {
    return "cpu";
  }

  /** Of what the quantized products see. */
  @Override
  public DType activationType() {
    return DType.I8;
  }

  /** Of keys and values. */
  @Override
  public DType cacheType() {
    return DType.F16;
  }

  @Override
  public String fingerprint() {
    return context.kernels();
  }

  /** The library has no destructors, and nothing is unmapped before the process is gone. */
  @Override
  public boolean mayBeCutOff() {
    return true;
  }

  @Override
  public boolean deferred() {
    return false;
  }

  @Override
  public void useThreads(int threads) {
    CpuContext old = context;
    context = new CpuContext(threads, kernels);
    old.close();
  }

  @Override
  public Peaks measurePeaks() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment peaks = arena.allocate(ValueLayout.JAVA_DOUBLE, 3);
      check(CpuNative.measurePeaks(context.address(), PEAK_SECONDS, peaks.address()));
      return new Peaks(
          context.threads(),
          peaks.getAtIndex(ValueLayout.JAVA_DOUBLE, 0),
          peaks.getAtIndex(ValueLayout.JAVA_DOUBLE, 1),
          peaks.getAtIndex(ValueLayout.JAVA_DOUBLE, 2));
    }
  }

  @Override
  public Weights bind(Checkpoint checkpoint, Layout layout) {
    return new CpuWeights(checkpoint, layout);
  }

  @Override
  public State newState(StateShape shape, long capacity) {
    return new CpuState(this, shape, capacity);
  }

  long context() {
    return context.address();
  }

  @Override
  public Scope scope() {
    return memory.scope();
  }

  /** Many tokens share the reading and unpacking of each expert. */
  @Override
  public int prefillTokens(long length) {
    return 512;
  }

  @Override
  public Tensor tokens(int[] ids) {
    CpuTensor tensor = memory.allocate(ids.length, 1);
    MemorySegment.copy(ids, 0, tensor.data(), ValueLayout.JAVA_INT, 0, ids.length);
    return tensor;
  }

  @Override
  public Tensor embed(Weight table, Tensor tokens) {
    CpuMatrix matrix = CpuMatrix.of(table);
    CpuTensor ids = CpuTensor.of(tokens);
    CpuTensor out = memory.allocate(ids.rows(), matrix.columns());
    if (row.length != matrix.columns()) {
      row = new float[matrix.columns()];
    }
    for (int t = 0; t < ids.rows(); t++) {
      int id = ids.data().getAtIndex(ValueLayout.JAVA_INT, t);
      if (id < 0 || id >= matrix.rows()) {
        throw new IllegalArgumentException(
            "token id %d in a vocabulary of %d".formatted(id, matrix.rows()));
      }
      matrix.decoder().decode(0, id, row);
      MemorySegment.copy(
          row, 0, out.data(), ValueLayout.JAVA_FLOAT, 4L * t * row.length, row.length);
    }
    return out;
  }

  @Override
  public Tensor linear(Weight weight, Tensor x) {
    CpuMatrix matrix = CpuMatrix.of(weight);
    return multiply(matrix, CpuTensor.address(x, matrix.columns()), x.rows());
  }

  private CpuTensor multiply(CpuMatrix matrix, long x, int rows) {
    CpuTensor out = memory.allocate(rows, matrix.rows());
    check(CpuNative.linear(context(), matrix.struct(), x, rows, out.address()));
    return out;
  }

  @Override
  public AddNorm addNorm(Tensor residual, @Nullable Tensor delta, Weight norm, float eps) {
    int columns = residual.columns();
    CpuTensor sum =
        delta == null ? CpuTensor.of(residual) : memory.allocate(residual.rows(), columns);
    CpuTensor normed = memory.allocate(residual.rows(), columns);
    check(
        CpuNative.addNorm(
            context(),
            residual.rows(),
            columns,
            CpuTensor.of(residual).address(),
            delta == null ? 0 : CpuTensor.address(delta, columns),
            CpuVector.of(norm).address(),
            eps,
            delta == null ? 0 : sum.address(),
            normed.address()));
    return new AddNorm(sum, normed);
  }

  @Override
  public Tensor attention(
      AttentionArgs args, Tensor qGate, Tensor k, Tensor v, State state, int layer) {
    CpuState s = (CpuState) state;
    int tokens = qGate.rows();
    int width = args.heads() * args.headDim();
    int kvWidth = args.kvHeads() * args.headDim();
    CpuTensor out = memory.allocate(tokens, width);
    check(
        CpuNative.attend(
            context(),
            structs.attention(args),
            s.keyValues(layer),
            s.first(tokens),
            tokens,
            CpuTensor.address(qGate, 2 * width),
            CpuTensor.address(k, kvWidth),
            CpuTensor.address(v, kvWidth),
            out.address()));
    return out;
  }

  @Override
  public Tensor deltaNet(DeltaArgs args, Tensor qkvz, Tensor ba, State state, int layer) {
    CpuState s = (CpuState) state;
    StateShape.Delta shape = args.shape();
    int tokens = qkvz.rows();
    int width = shape.valueHeads() * shape.valueDim();
    CpuTensor out = memory.allocate(tokens, width);
    check(
        CpuNative.deltaMix(
            context(),
            structs.delta(args),
            s.recurrence(layer),
            s.pass() == Pass.VERIFY ? 1 : 0,
            s.first(tokens),
            tokens,
            CpuTensor.address(qkvz, shape.channels() + width),
            CpuTensor.address(ba, 2 * shape.valueHeads()),
            out.address()));
    return out;
  }

  @Override
  public Tensor experts(ExpertArgs args, Tensor x) {
    int hidden = CpuMatrix.of(args.gate()).columns();
    CpuTensor out = memory.allocate(x.rows(), hidden);
    check(
        CpuNative.experts(
            context(),
            structs.experts(args),
            CpuTensor.address(x, hidden),
            x.rows(),
            out.address()));
    return out;
  }

  @Override
  public Tensor swiglu(Tensor gate, Tensor up) {
    CpuTensor out = memory.allocate(gate.rows(), gate.columns());
    check(
        CpuNative.swiglu(
            context(),
            (long) gate.rows() * gate.columns(),
            CpuTensor.of(gate).address(),
            CpuTensor.address(up, gate.columns()),
            out.address()));
    return out;
  }

  @Override
  public Tensor concat(Tensor a, Tensor b) {
    CpuTensor out = memory.allocate(a.rows(), a.columns() + b.columns());
    check(
        CpuNative.concat(
            context(),
            a.rows(),
            a.columns(),
            CpuTensor.of(a).address(),
            b.columns(),
            CpuTensor.of(b).address(),
            out.address()));
    return out;
  }

  @Override
  public Tensor rows(Tensor x, Rows rows) {
    CpuTensor out = memory.allocate(rows.count(), x.columns());
    long bytes = 4L * rows.count() * x.columns();
    MemorySegment.copy(CpuTensor.of(x).data(), offset(x, rows), out.data(), 0, bytes);
    return out;
  }

  private static long offset(Tensor x, Rows rows) {
    if (rows.first() + rows.count() > x.rows()) {
      throw new IllegalArgumentException("rows %s of %d".formatted(rows, x.rows()));
    }
    return 4L * rows.first() * x.columns();
  }

  @Override
  public Tensor logits(Weight head, Tensor x, Rows rows) {
    CpuMatrix matrix = CpuMatrix.of(head);
    long first = CpuTensor.address(x, matrix.columns()) + offset(x, rows);
    return multiply(matrix, first, rows.count());
  }

  @Override
  public Tensor sample(Tensor logits, Sampling sampling, long position) {
    int[] ids = new int[logits.rows()];
    int columns = logits.columns();
    int candidates = Math.min(sampling.candidates(), columns);
    if (candidates == 0) {
      float[] all = new float[columns];
      for (int t = 0; t < ids.length; t++) {
        long from = 4L * t * columns;
        MemorySegment data = CpuTensor.of(logits).data();
        MemorySegment.copy(data, ValueLayout.JAVA_FLOAT, from, all, 0, columns);
        ids[t] = sampling.draw(all, position + t);
      }
      return tokens(ids);
    }
    try (Scope scope = scope()) {
      CpuTensor largest = memory.allocate(ids.length, candidates);
      CpuTensor values = memory.allocate(ids.length, candidates);
      check(
          CpuNative.top(
              context(),
              ids.length,
              columns,
              CpuTensor.of(logits).address(),
              candidates,
              largest.address(),
              values.address()));
      int[] rowIds = new int[candidates];
      float[] rowValues = new float[candidates];
      for (int t = 0; t < ids.length; t++) {
        long from = 4L * t * candidates;
        MemorySegment.copy(largest.data(), ValueLayout.JAVA_INT, from, rowIds, 0, candidates);
        MemorySegment.copy(values.data(), ValueLayout.JAVA_FLOAT, from, rowValues, 0, candidates);
        ids[t] = sampling.draw(rowIds, rowValues, position + t);
      }
    }
    return tokens(ids);
  }

  /** All is computed when it is asked for. */
  @Override
  public void start(Tensor tensor) {}

  @Override
  public int[] readTokens(Tensor tokens) {
    return CpuTensor.of(tokens).bytes(4L * tokens.rows()).toArray(ValueLayout.JAVA_INT);
  }

  @Override
  public void readFloats(Tensor tensor, MemorySegment into) {
    long bytes = 4L * tensor.rows() * tensor.columns();
    MemorySegment.copy(CpuTensor.of(tensor).bytes(bytes), 0, into, 0, bytes);
  }

  @Override
  public void close() {
    structs.close();
    memory.close();
    context.close();
  }
}
