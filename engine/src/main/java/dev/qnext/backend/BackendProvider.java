package dev.qnext.backend;

import dev.qnext.QnextException;

/** One way to compute, found by ServiceLoader so that the engine knows no native module. */
public interface BackendProvider {
  /** The name that {@code --backend} takes. */
  String name();

  /** The provider with the largest rank whose {@link #open} succeeds is the default. */
  int rank();

  /**
   * Opens the backend on the calling thread.
   *
   * @throws QnextException if this machine lacks something; the sentence says what
   */
  Backend open();
}
