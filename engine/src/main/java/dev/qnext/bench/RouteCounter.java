package dev.qnext.bench;

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
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.RowDecoder;
import dev.qnext.checkpoint.WeightSpec;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Hands everything on to the backend that is measured. While it is told to count, it also computes
 * each layer's router by itself, in Java, and counts how many different experts the tokens of the
 * pass are sent to, since backends do not tell; nothing is timed then.
 */
final class RouteCounter implements Backend {
  private final Backend backend;
  private final Checkpoint checkpoint;
  private boolean counting;
  private long experts;
  private long layers;

  RouteCounter(Backend backend, Checkpoint checkpoint) {
    this.backend = backend;
    this.checkpoint = checkpoint;
  }

  void startCounting() {
    counting = true;
    experts = 0;
    layers = 0;
  }

  /** Mean of different experts per layer and pass since the start; NaN if no layer has any. */
  double stopCounting() {
    counting = false;
    return (double) experts / layers;
  }

  private void count(ExpertArgs args, Tensor x) {
    int columns = x.columns();
    float[] values = new float[x.rows() * columns];
    backend.readFloats(x, MemorySegment.ofArray(values));
    WeightSpec gate = WeightSpec.matrix(args.gate().path(), args.experts(), columns);
    RowDecoder decoder = new RowDecoder(checkpoint.find(gate));
    float[][] logits = new float[x.rows()][args.experts()];
    float[] row = new float[columns];
    for (int e = 0; e < args.experts(); e++) {
      decoder.decode(0, e, row);
      for (int t = 0; t < x.rows(); t++) {
        for (int i = 0; i < columns; i++) {
          logits[t][e] += row[i] * values[t * columns + i];
        }
      }
    }
    BitSet seen = new BitSet(args.experts());
    for (float[] scores : logits) {
      for (int i = 0; i < args.chosen(); i++) {
        int best = Sampling.argmax(scores);
        scores[best] = Float.NEGATIVE_INFINITY;
        seen.set(best);
      }
    }
    experts += seen.cardinality();
    layers++;
  }

  @Override
  public void useThreads(int threads) {
    backend.useThreads(threads);
  }

  @Override
  public Tensor experts(ExpertArgs args, Tensor x) {
    if (counting) {
      count(args, x);
    }
    return backend.experts(args, x);
  }

  @Override
  public String name() {
    return backend.name();
  }

  @Override
  public DType activationType() {
    return backend.activationType();
  }

  @Override
  public boolean mayBeCutOff() {
    return backend.mayBeCutOff();
  }

  @Override
  public DType cacheType() {
    return backend.cacheType();
  }

  @Override
  public boolean deferred() {
    return backend.deferred();
  }

  @Override
  public Weights bind(Checkpoint checkpoint, Layout layout) {
    return backend.bind(checkpoint, layout);
  }

  @Override
  public State newState(StateShape shape, long capacity) {
    return backend.newState(shape, capacity);
  }

  @Override
  public Scope scope() {
    return backend.scope();
  }

  @Override
  public int prefillTokens(long length) {
    return backend.prefillTokens(length);
  }

  @Override
  public Tensor tokens(int[] ids) {
    return backend.tokens(ids);
  }

  @Override
  public Tensor embed(Weight table, Tensor tokens) {
    return backend.embed(table, tokens);
  }

  @Override
  public Tensor linear(Weight weight, Tensor x) {
    return backend.linear(weight, x);
  }

  @Override
  public AddNorm addNorm(Tensor residual, @Nullable Tensor delta, Weight norm, float eps) {
    return backend.addNorm(residual, delta, norm, eps);
  }

  @Override
  public Tensor attention(
      AttentionArgs args, Tensor qGate, Tensor k, Tensor v, State state, int layer) {
    return backend.attention(args, qGate, k, v, state, layer);
  }

  @Override
  public Tensor deltaNet(DeltaArgs args, Tensor qkvz, Tensor ba, State state, int layer) {
    return backend.deltaNet(args, qkvz, ba, state, layer);
  }

  @Override
  public Tensor swiglu(Tensor gate, Tensor up) {
    return backend.swiglu(gate, up);
  }

  @Override
  public Tensor concat(Tensor a, Tensor b) {
    return backend.concat(a, b);
  }

  @Override
  public Tensor rows(Tensor x, Rows rows) {
    return backend.rows(x, rows);
  }

  @Override
  public Tensor logits(Weight head, Tensor x, Rows rows) {
    return backend.logits(head, x, rows);
  }

  @Override
  public Tensor sample(Tensor logits, Sampling sampling, long position) {
    return backend.sample(logits, sampling, position);
  }

  @Override
  public void start(Tensor tensor) {
    backend.start(tensor);
  }

  @Override
  public int[] readTokens(Tensor tokens) {
    return backend.readTokens(tokens);
  }

  @Override
  public void readFloats(Tensor tensor, MemorySegment into) {
    backend.readFloats(tensor, into);
  }

  /** The backend is its owner's. */
  @Override
  public void close() {}
}
