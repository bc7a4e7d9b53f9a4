package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_c;
import java.lang.foreign.MemorySegment;

/**
 * A traced function ({@code mlx_compile}): its body runs once for each combination of input shapes
 * and types; later calls replay the trace, element-wise chains fused where the device has a
 * compiler for them. Arrays that the body uses without getting them as inputs are constants of the
 * trace and must outlive it.
 */
public final class MlxFunction implements AutoCloseable {
  /** Builds the outputs from the inputs. */
  @FunctionalInterface
  public interface Body {
    MlxArray[] build(MlxArray... inputs);
  }

  private final MlxContext mlx;
  private final long id;
  private final MemorySegment closure;
  private boolean closed;

  MlxFunction(MlxContext mlx, long id, MemorySegment closure) {
    this.mlx = mlx;
    this.id = id;
    this.closure = closure;
  }

  public MlxArray[] apply(MlxArray... inputs) {
    return mlx.apply(closure, inputs);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      mlx_c.mlx_closure_free(closure);
      mlx.forget(id, this);
    }
  }
}
