package dev.qnext.backend.reference;

import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;

/** Offers the reference backend, which runs everywhere. */
public final class ReferenceProvider implements BackendProvider {
  @Override
  public String name() {
    return "reference";
  }

  @Override
  public int rank() {
    return 0;
  }

  @Override
  public Backend open() {
    return new ReferenceBackend();
  }
}
