package dev.qnext.backend;

/**
 * All weights that a layout asked for, placed on their backend. Closing frees what the backend
 * allocated for them.
 */
public interface Weights extends AutoCloseable {
  /**
   * The weight bound under this path.
   *
   * @throws IllegalArgumentException if the layout did not name it
   */
  Weight get(String path);

  @Override
  void close();
}
