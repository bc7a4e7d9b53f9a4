package dev.qnext.backend.reference;

import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Check;
import java.util.List;

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

  @Override
  public List<Check> checks() {
    return List.of(
        Check.info("arithmetic", "plain Java, f32: what all other backends are compared with"));
  }
}
