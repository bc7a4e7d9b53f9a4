package dev.qnext.backend;

/**
 * A matrix of activations [rows, columns] in its backend's own form, possibly not computed yet. Row
 * t belongs to the t-th token of the pass; token ids are a tensor of one column. Only the backend
 * that made a tensor reads it.
 */
public interface Tensor extends AutoCloseable {
  int rows();

  int columns();

  /** Frees one that a {@link Scope} has kept; all others are freed with their scope. */
  @Override
  default void close() {}
}
