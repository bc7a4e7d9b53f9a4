package dev.qnext.backend;

import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Layout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The seam between a model, written once, and the machines that compute it. Every operation is of
 * the size at which a fused kernel exists; a backend may compute at once or build a graph that
 * {@link #start} and the reads evaluate.
 *
 * <p>Used on the engine's thread only. Legend: T tokens of the pass, H hidden size, V vocabulary.
 *
 * <p>Batch invariance: on {@code reference} and {@code cpu} the bits of every row are independent
 * of T, of chunk borders, of the number of threads and of what else the pass holds.
 */
public interface Backend extends AutoCloseable {
  /** The name that {@code --backend} takes. */
  String name();

  /** The type in which activations are held, which decides how exact the operations can be. */
  default DType activationType() {
    return DType.F32;
  }

  /**
   * Names what the results depend on besides this program: device, versions of libraries, settings.
   * A self-test that has passed under one fingerprint is not repeated.
   */
  default String fingerprint() {
    return "";
  }

  /**
   * True if operations return before they are computed, so that it pays to build and {@link #start}
   * the next step before the last one's token is read. The step may be in vain: its pass is then
   * dropped.
   */
  boolean deferred();

  /**
   * Computes on so many threads; called before anything is bound. A backend that does not choose
   * its threads ignores it.
   */
  default void useThreads(int threads) {}

  /**
   * Whether the process may end in the middle of a pass: its code is Java's, or native code whose
   * library takes nothing down at the end of the process.
   */
  default boolean mayBeCutOff() {
    return false;
  }

  /** Where to say what the user should know though the work goes on, in a sentence each. */
  default void warnTo(Consumer<String> warnings) {}

  /**
   * Measures what this machine can do at best with this backend's threads, which takes a second or
   * two; null where that is not known.
   */
  default @Nullable Peaks measurePeaks() {
    return null;
  }

  /**
   * Memory for weights that are made instead of mapped from a file, such as this backend reads
   * fast. Whoever asks closes it.
   */
  default Arena newArena() {
    return Arena.ofShared();
  }

  /** The type in which states hold keys and values. */
  default DType cacheType() {
    return activationType();
  }

  /**
   * Maps, places and permutes the weights that the layout names. The checkpoint must stay open as
   * long as they are used.
   */
  Weights bind(Checkpoint checkpoint, Layout layout);

  /**
   * An empty state with room for {@code capacity} tokens; memory for keys and values may grow with
   * use.
   */
  State newState(StateShape shape, long capacity);

  /** Opens a scope for tensors. What is made outside of all scopes lives as long as the backend. */
  Scope scope();

  /**
   * Most tokens that a prefill pass should have when the state holds so many: bounds the memory of
   * intermediate results and the time that cancelling takes.
   */
  int prefillTokens(long length);

  /** Token ids [T, 1]. */
  Tensor tokens(int[] ids);

  /** Rows of the table: [T, H]. The ids must lie in the table. */
  Tensor embed(Weight table, Tensor tokens);

  /** x W^T: [T, rows of W]. */
  Tensor linear(Weight weight, Tensor x);

  /** residual + delta (or residual alone), and its RMS norm times the weight. */
  AddNorm addNorm(Tensor residual, @Nullable Tensor delta, Weight norm, float eps);

  /**
   * Norms q and k per head, turns them by RoPE, appends k and v to the state, and attends causally
   * with scale 1 / sqrt(headDim); each head's output is multiplied by sigmoid of its gate.
   *
   * @param qGate [T, heads * 2 * headDim], per head query then gate
   * @param k [T, kvHeads * headDim]; v likewise
   * @return [T, heads * headDim]
   */
  Tensor attention(AttentionArgs args, Tensor qGate, Tensor k, Tensor v, State state, int layer);

  /**
   * Causal convolution with silu, L2 norm of q and k, the gated delta rule, then RMS norm times
   * silu(z).
   *
   * @param qkvz [T, 2 * keyHeads * keyDim + 2 * valueHeads * valueDim] in the order q, k, v, z
   * @param ba [T, 2 * valueHeads] in the order b, a
   * @return [T, valueHeads * valueDim]
   */
  Tensor deltaNet(DeltaArgs args, Tensor qkvz, Tensor ba, State state, int layer);

  /** Router, routed experts summed in slot order, shared expert with its gate: [T, H]. */
  Tensor experts(ExpertArgs args, Tensor x);

  /** silu(gate) * up. */
  Tensor swiglu(Tensor gate, Tensor up);

  /** Columns of a, then columns of b. */
  Tensor concat(Tensor a, Tensor b);

  /** The given rows of x, as a tensor of their own. */
  Tensor rows(Tensor x, Rows rows);

  /** Head projection of the given rows of x: [count, V]. */
  Tensor logits(Weight head, Tensor x, Rows rows);

  /**
   * One token for every row of the logits, the first drawn for the given absolute position: [rows,
   * 1].
   */
  Tensor sample(Tensor logits, Sampling sampling, long position);

  /**
   * Begins to evaluate without waiting. Scopes of what it is computed from should be closed by
   * then: the memory of a tensor that is still held cannot be used again.
   */
  void start(Tensor tensor);

  /** Waits for tokens [T, 1], and for nothing that was started after them. */
  int[] readTokens(Tensor tokens);

  /** Copies a tensor's numbers, row by row, as f32 of this machine's byte order. */
  void readFloats(Tensor tensor, MemorySegment into);

  @Override
  void close();
}
