package dev.qnext.generate;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.model.LanguageModel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One timeline of a model: a state, and the ids that it has read. A prompt that begins with these
 * ids continues from where the state stands; any other starts anew. Used on the engine's thread
 * only. When something fails in a pass, {@link #reset} is due.
 */
public final class Session implements AutoCloseable {
  private final LanguageModel model;
  private final Backend backend;
  private State state;
  private int[] ids = new int[64];
  private int length;

  /** Behind the tokens of the last pass that kept any: [T, hidden]; kept from its scope. */
  private @Nullable Tensor hidden;

  /** The row of {@link #hidden} that belongs to the last id. */
  private int lastRow;

  /** Behind the tokens of the pass that is open: [T, hidden]; kept from its scope. */
  private @Nullable Tensor open;

  public Session(LanguageModel model, long capacity) {
    this.model = model;
    this.backend = model.backend();
    this.state = backend.newState(model.stateShape(), capacity);
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
    forget();
  }

  /** Starts anew after a failure: what a half-done pass left behind is of no use. */
  void reset() {
    forget();
    long capacity = state.capacity();
    state.close();
    state = backend.newState(model.stateShape(), capacity);
  }

  private void forget() {
    length = 0;
    hidden = replace(hidden, null);
    open = replace(open, null);
  }

  private static @Nullable Tensor replace(@Nullable Tensor old, @Nullable Tensor tensor) {
    if (old != null) {
      old.close();
    }
    return tensor;
  }

  /** Reads ids in one pass. */
  void prefill(int[] next) {
    try (Scope scope = backend.scope()) {
      open(Pass.PREFILL, backend.tokens(next));
    }
    accept(next);
  }

  /**
   * Opens a pass that reads tokens [T, 1], which may still be on the device; {@link #accept} closes
   * it.
   */
  void verify(Tensor tokens) {
    open(Pass.VERIFY, tokens);
  }

  private void open(Pass pass, Tensor tokens) {
    state.begin(pass, tokens.rows());
    try (Scope scope = backend.scope()) {
      open = scope.keep(model.forward(tokens, state));
    }
  }

  /**
   * Closes the open pass and keeps its first tokens, which turned out to be these; none drops the
   * pass, and all is as before it.
   */
  void accept(int... kept) {
    state.accept(kept.length);
    if (kept.length == 0) {
      open = replace(open, null);
      return;
    }
    hidden = replace(hidden, open);
    lastRow = kept.length - 1;
    open = null;
    if (length + kept.length > ids.length) {
      ids = Arrays.copyOf(ids, Math.max(2 * ids.length, length + kept.length));
    }
    System.arraycopy(kept, 0, ids, length, kept.length);
    length += kept.length;
  }

  /**
   * Logits behind every token of the open pass, [T, vocabulary]; if none is open, behind the last
   * id, [1, vocabulary].
   */
  Tensor logits() {
    if (open != null) {
      return model.logits(open, Rows.all(open));
    }
    if (hidden == null) {
      throw new IllegalStateException("nothing was read");
    }
    return model.logits(hidden, new Rows(lastRow, 1));
  }

  /** The absolute position of the token that the first row of {@link #logits} predicts. */
  long position() {
    return open == null ? length : length + 1;
  }

  @Override
  public void close() {
    forget();
    state.close();
  }
}
