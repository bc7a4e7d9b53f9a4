package dev.qnext.backend;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/**
 * What a model remembers of the tokens it has read: keys and values of attention layers, recurrent
 * state and convolution inputs of linear attention layers.
 *
 * <p>A forward pass is: {@link #begin}, the model's operations once per layer, {@link #accept}.
 * Until then {@link #length} stays what it was, and row t of the pass stands at position length +
 * t. Recurrent state cannot be cut, so a shorter prefix is reached by a {@link #fork} made there,
 * or by {@link #rewind} where all layers are attention.
 */
public interface State extends AutoCloseable {
  /** Most tokens of one {@link Pass#VERIFY} pass. */
  int MAX_VERIFY = 16;

  /** Tokens that are kept. */
  long length();

  /** Tokens for which there is room. */
  long capacity();

  /**
   * Opens a pass of so many tokens.
   *
   * @throws IllegalStateException if a pass is open
   * @throws IllegalArgumentException if the tokens do not fit
   */
  void begin(Pass pass, int tokens);

  /**
   * Closes the open pass and keeps its first n tokens: bit for bit the state that reading just
   * these would have left. n = 0 drops the pass; a prefill keeps all of its tokens.
   *
   * <p>A deferred backend need not have computed the pass, and does not wait for a verify pass. It
   * computes a prefill here, which bounds the memory of a long prompt and the time that cancelling
   * takes; the scope of the pass should be closed by then.
   */
  void accept(int n);

  /**
   * For benches: forgets everything, and is then as if so many tokens had been read, which left
   * small random numbers behind. They depend on the seed, and on the backend.
   *
   * @throws IllegalStateException if a pass is open
   * @throws IllegalArgumentException if the tokens do not fit
   */
  void fill(long tokens, long seed);

  /**
   * Forgets all tokens from this length on.
   *
   * @throws UnsupportedOperationException if a layer is recurrent and the length changes
   */
  void rewind(long length);

  /** An independent copy; no pass may be open. */
  State fork();

  /** Writes all that {@link #restore} needs on the same model and backend. */
  void save(OutputStream out) throws IOException;

  /**
   * Replaces this state by a saved one of the same shape.
   *
   * @throws IOException if that is cut short, damaged, of another shape or longer than the
   *     capacity; this state is then empty
   */
  void restore(InputStream in) throws IOException;

  /** Bytes held in memory. */
  long bytes();

  /** Frees it, a pass open or not; a second call does nothing. */
  @Override
  void close();
}
