package dev.qnext.cpu;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Check;
import java.util.List;

/** Offers our own kernels, wherever they were built. */
public final class CpuProvider implements BackendProvider {
  @Override
  public String name() {
    return "cpu";
  }

  /** Above {@code reference} on every machine, and below a GPU. */
  @Override
  public int rank() {
    return 10;
  }

  @Override
  public Backend open() {
    CpuLibrary.symbols();
    return new CpuBackend(CpuThreads.suitable(), System.getenv("QNEXT_CPU_KERNELS"));
  }

  @Override
  public List<Check> checks() {
    try (CpuContext context =
        new CpuContext(CpuThreads.suitable(), System.getenv("QNEXT_CPU_KERNELS"))) {
      return List.of(
          Check.pass("kernels", "%s, %d threads".formatted(context.kernels(), context.threads())));
    } catch (QnextException e) {
      return List.of(
          Check.warn("kernels", String.valueOf(e.getMessage()), CpuLibrary.installCompiler()));
    }
  }
}
