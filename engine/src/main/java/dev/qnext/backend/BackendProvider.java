package dev.qnext.backend;

import dev.qnext.QnextException;
import java.util.List;

/**
 * One way to compute, found by ServiceLoader so that the engine knows no native module. Used on the
 * engine's thread only, except for {@link #name}.
 */
public interface BackendProvider {
  /** The name that {@code --backend} takes. */
  String name();

  /**
   * The provider with the largest rank that opens and passes its self-test is the default; one that
   * fails is told to the user and passed over. So a provider ranks by what this machine has: above
   * {@code reference}, which is 0, where it ought to be chosen, and below 0 where it never is
   * unless asked for by name. Never throws.
   */
  int rank();

  /**
   * Opens the backend on the calling thread.
   *
   * @throws QnextException if this machine lacks something; the sentence says what
   */
  Backend open();

  /** What {@code qnext doctor} tells of libraries, devices and memory. Never throws. */
  default List<Check> checks() {
    return List.of();
  }
}
