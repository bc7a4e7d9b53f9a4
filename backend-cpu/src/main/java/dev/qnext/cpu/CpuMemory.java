package dev.qnext.cpu;

import dev.qnext.backend.Scope;
import dev.qnext.backend.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;

/**
 * Memory of activations. What a scope frees is used again for the next tensor of about its size, so
 * that decoding, which makes the same tensors for every token, allocates nothing. Sizes are powers
 * of two.
 */
final class CpuMemory implements AutoCloseable {
  static final int FREE = -1;
  static final int KEPT = -2;
  private static final int SMALLEST_BITS = 6;
  private static final int ALIGNMENT = 64;

  private final Arena arena = Arena.ofConfined();
  private final Stack[] free = new Stack[40];

  /** Tensors of all open scopes, the innermost's last. */
  private final Stack open = new Stack();

  private final OpenScope[] scopes = new OpenScope[16];
  private int depth;

  CpuMemory() {
    Arrays.setAll(free, size -> new Stack());
    Arrays.setAll(scopes, i -> new OpenScope(i + 1));
  }

  /** A tensor of the innermost scope, with room for so many rows of 4-byte numbers. */
  CpuTensor allocate(int rows, int columns) {
    long needed = Math.max(1, 4L * rows * columns);
    int size = Math.max(0, 64 - Long.numberOfLeadingZeros(needed - 1) - SMALLEST_BITS);
    CpuTensor tensor = free[size].pop();
    if (tensor == null) {
      long room = 1L << size + SMALLEST_BITS;
      tensor = new CpuTensor(this, arena.allocate(room, ALIGNMENT), size);
    }
    tensor.depth = depth;
    open.push(tensor);
    return tensor.shaped(rows, columns);
  }

  void free(CpuTensor tensor) {
    tensor.depth = FREE;
    free[tensor.size].push(tensor);
  }

  Scope scope() {
    if (depth == scopes.length) {
      throw new IllegalStateException("%d scopes are open".formatted(depth));
    }
    OpenScope scope = scopes[depth++];
    scope.first = open.count;
    return scope;
  }

  @Override
  public void close() {
    arena.close();
  }

  private final class OpenScope implements Scope {
    private final int number;
    private int first;

    OpenScope(int number) {
      this.number = number;
    }

    @Override
    public Tensor keep(Tensor tensor) {
      CpuTensor kept = CpuTensor.of(tensor);
      kept.address();
      kept.depth = KEPT;
      return kept;
    }

    @Override
    public void close() {
      if (depth < number) {
        return;
      }
      while (open.count > first) {
        CpuTensor tensor = open.pop();
        // One that was kept, and perhaps closed and taken again since, is not this scope's.
        if (tensor != null && tensor.depth >= number) {
          free(tensor);
        }
      }
      depth = number - 1;
    }
  }

  private static final class Stack {
    private CpuTensor[] tensors = new CpuTensor[8];
    private int count;

    void push(CpuTensor tensor) {
      if (count == tensors.length) {
        tensors = Arrays.copyOf(tensors, 2 * count);
      }
      tensors[count++] = tensor;
    }

    @org.jspecify.annotations.Nullable
    CpuTensor pop() {
      return count == 0 ? null : tensors[--count];
    }
  }
}
