package dev.qnext.backend;

/**
 * A matrix of activations [rows, columns] in its backend's own form, possibly not computed yet. Row
 * t belongs to the t-th token of the pass; token ids are a tensor of one column. Only the backend
 * that made a tensor reads it.
 */
public interface Tensor {
  int rows();

  int columns();
}
