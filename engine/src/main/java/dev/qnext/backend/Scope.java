package dev.qnext.backend;

/**
 * A stretch of work whose tensors are freed together: those made on the backend since it was opened
 * die when it closes, except for what was kept. Scopes nest. A freed tensor may still be what
 * others are computed from; it just cannot be handed in again.
 */
public interface Scope extends AutoCloseable {
  /**
   * Takes a tensor that was made in this scope out of it and out of all around it: it lives until
   * its own {@link Tensor#close}.
   */
  Tensor keep(Tensor tensor);

  @Override
  void close();
}
