package dev.qnext.generate;

import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.model.LanguageModel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One timeline of a model: a state, and the ids that it has read. A prompt that begins with these
 * ids continues from where the state stands; any other starts anew. Used on the engine's thread
 * only.
 */
public final class Session implements AutoCloseable {
  private final LanguageModel model;
  private State state;
  private int[] ids = new int[64];
  private int length;
  private @Nullable Tensor lastHidden;

  public Session(LanguageModel model, long capacity) {
    this.model = model;
    this.state = model.backend().newState(model.stateShape(), capacity);
  }

  /** Ids that the state has read. */
  public int[] ids() {
    return Arrays.copyOf(ids, length);
  }

  public long capacity() {
    return state.capacity();
  }

  int length() {
    return length;
  }

  /**
   * Drops what was read unless the prompt goes on from there, and returns how many ids of the
   * prompt need no reading.
   */
  int resume(int[] prompt) {
    if (length > prompt.length || !Arrays.equals(ids, 0, length, prompt, 0, length)) {
      clear();
    }
    return length;
  }

  /** Forgets everything. */
  public void clear() {
    state.rewind(0);
    length = 0;
    lastHidden = null;
  }

  /** Starts anew after a failure: what a half-done pass left behind is of no use. */
  void reset() {
    length = 0;
    lastHidden = null;
    long capacity = state.capacity();
    state.close();
    state = model.backend().newState(model.stateShape(), capacity);
  }

  /** Reads ids in one pass; {@link #reset} is due if it fails. */
  void read(Pass pass, int[] next) {
    state.begin(pass, next.length);
    Tensor hidden = model.forward(model.backend().tokens(next), state);
    state.accept(next.length);
    lastHidden = model.backend().rows(hidden, Rows.last(hidden));
    if (length + next.length > ids.length) {
      ids = Arrays.copyOf(ids, Math.max(2 * ids.length, length + next.length));
    }
    System.arraycopy(next, 0, ids, length, next.length);
    length += next.length;
  }

  /** Logits behind the last id that was read, [1, vocabulary]. */
  Tensor logits() {
    Tensor hidden = lastHidden;
    if (hidden == null) {
      throw new IllegalStateException("nothing was read");
    }
    return model.logits(hidden, new Rows(0, 1));
  }

  @Override
  public void close() {
    state.close();
  }
}
