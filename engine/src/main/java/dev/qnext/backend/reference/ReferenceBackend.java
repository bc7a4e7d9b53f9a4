package dev.qnext.backend.reference;

import dev.qnext.backend.AddNorm;
import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.Backend;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.backend.reference.ReferenceWeights.Matrix;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * Plain Java in f32, computed at once, no native code: what every other backend is compared with,
 * and what runs where nothing else does. The bits of a row depend on nothing but that row's past.
 */
public final class ReferenceBackend implements Backend {
  private static final Scope GARBAGE_COLLECTED =
      new Scope() {
        @Override
        public Tensor keep(Tensor tensor) {
          return tensor;
        }

        @Override
        public void close() {}
      };

  @Override
  public String name() {
    return "reference";
  }

  @Override
  public boolean mayBeCutOff() {
    return true;
  }

  @Override
  public boolean deferred() {
    return false;
  }

  @Override
  public Weights bind(Checkpoint checkpoint, Layout layout) {
    return new ReferenceWeights(checkpoint, layout);
  }

  @Override
  public State newState(StateShape shape, long capacity) {
    return new ReferenceState(shape, capacity);
  }

  @Override
  public Scope scope() {
    return GARBAGE_COLLECTED;
  }

  @Override
  public int prefillTokens(long length) {
    return 512;
  }

  @Override
  public Tensor tokens(int[] ids) {
    return new Tokens(ids.clone());
  }

  @Override
  public Tensor embed(Weight table, Tensor tokens) {
    Matrix matrix = Matrix.of(table);
    int[] ids = ((Tokens) tokens).ids();
    float[] out = new float[ids.length * matrix.columns()];
    float[] row = new float[matrix.columns()];
    for (int t = 0; t < ids.length; t++) {
      if (ids[t] < 0 || ids[t] >= matrix.rows()) {
        throw new IllegalArgumentException(
            "token id %d in a vocabulary of %d".formatted(ids[t], matrix.rows()));
      }
      matrix.decoder().decode(0, ids[t], row);
      System.arraycopy(row, 0, out, t * row.length, row.length);
    }
    return new Floats(ids.length, matrix.columns(), out);
  }

  @Override
  public Tensor linear(Weight weight, Tensor x) {
    return MatMul.multiply(Matrix.of(weight), 0, Floats.of(x));
  }

  @Override
  public AddNorm addNorm(Tensor residual, @Nullable Tensor delta, Weight norm, float eps) {
    Floats sum = Floats.of(residual);
    int columns = sum.columns();
    if (delta != null) {
      float[] a = sum.values();
      float[] b = Floats.of(delta, columns).values();
      float[] out = new float[a.length];
      for (int i = 0; i < out.length; i++) {
        out[i] = a[i] + b[i];
      }
      sum = new Floats(sum.rows(), columns, out);
    }
    float[] weight = ReferenceWeights.Vector.of(norm);
    float[] normed = new float[sum.values().length];
    for (int t = 0; t < sum.rows(); t++) {
      int row = t * columns;
      Arithmetic.rmsNorm(sum.values(), row, weight, eps, normed, row, columns);
    }
    return new AddNorm(sum, new Floats(sum.rows(), columns, normed));
  }

  @Override
  public Tensor attention(
      AttentionArgs args, Tensor qGate, Tensor k, Tensor v, State state, int layer) {
    ReferenceState s = (ReferenceState) state;
    int kvWidth = args.kvHeads() * args.headDim();
    return Attention.attend(
        args,
        Floats.of(qGate, 2 * args.heads() * args.headDim()),
        Floats.of(k, kvWidth),
        Floats.of(v, kvWidth),
        s.keyValues(layer),
        s.first(qGate.rows()));
  }

  @Override
  public Tensor deltaNet(DeltaArgs args, Tensor qkvz, Tensor ba, State state, int layer) {
    ReferenceState s = (ReferenceState) state;
    s.first(qkvz.rows());
    StateShape.Delta shape = args.shape();
    return DeltaNet.mix(
        args,
        Floats.of(qkvz, shape.channels() + shape.valueHeads() * shape.valueDim()),
        Floats.of(ba, 2 * shape.valueHeads()),
        s.recurrence(layer));
  }

  @Override
  public Tensor experts(ExpertArgs args, Tensor x) {
    return Experts.mix(args, Floats.of(x));
  }

  @Override
  public Tensor swiglu(Tensor gate, Tensor up) {
    return Experts.swiglu(Floats.of(gate), Floats.of(up, gate.columns()));
  }

  @Override
  public Tensor concat(Tensor a, Tensor b) {
    Floats left = Floats.of(a);
    Floats right = Floats.of(b);
    int columns = left.columns() + right.columns();
    float[] out = new float[left.rows() * columns];
    for (int t = 0; t < left.rows(); t++) {
      System.arraycopy(left.values(), t * left.columns(), out, t * columns, left.columns());
      System.arraycopy(
          right.values(), t * right.columns(), out, t * columns + left.columns(), right.columns());
    }
    return new Floats(left.rows(), columns, out);
  }

  @Override
  public Tensor rows(Tensor x, Rows rows) {
    return Floats.of(x).slice(rows.first(), rows.count());
  }

  @Override
  public Tensor logits(Weight head, Tensor x, Rows rows) {
    return MatMul.multiply(Matrix.of(head), 0, Floats.of(x).slice(rows.first(), rows.count()));
  }

  @Override
  public Tensor sample(Tensor logits, Sampling sampling, long position) {
    Floats in = Floats.of(logits);
    int[] ids = new int[in.rows()];
    for (int t = 0; t < ids.length; t++) {
      ids[t] = sampling.draw(in.slice(t, 1).values(), position + t);
    }
    return new Tokens(ids);
  }

  @Override
  public void start(Tensor tensor) {}

  @Override
  public int[] readTokens(Tensor tokens) {
    return ((Tokens) tokens).ids().clone();
  }

  @Override
  public void readFloats(Tensor tensor, MemorySegment into) {
    float[] values = Floats.of(tensor).values();
    MemorySegment.copy(values, 0, into, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values.length);
  }

  @Override
  public void close() {}
}
