package dev.qnext.cpu;

import dev.qnext.backend.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * A matrix of f32 outside of Java's heap, row after row without gaps; or token ids, i32 in one
 * column. Taken from {@link CpuMemory}, which uses object and memory again after the tensor is
 * freed.
 */
final class CpuTensor implements Tensor {
  private final CpuMemory memory;
  private final MemorySegment data;

  /** Which of the memory's stacks it goes back to. */
  final int size;

  private int rows;
  private int columns;

  /** The depth of the scope that frees it; {@link CpuMemory#KEPT} and {@link CpuMemory#FREE}. */
  int depth = CpuMemory.FREE;

  CpuTensor(CpuMemory memory, MemorySegment data, int size) {
    this.memory = memory;
    this.data = data;
    this.size = size;
  }

  CpuTensor shaped(int newRows, int newColumns) {
    rows = newRows;
    columns = newColumns;
    return this;
  }

  static CpuTensor of(Tensor tensor) {
    return (CpuTensor) tensor;
  }

  /** The address of the first number; the tensor must have so many columns. */
  static long address(Tensor tensor, int columns) {
    if (tensor.columns() != columns) {
      throw new IllegalArgumentException(
          "a tensor of %d columns in place of %d".formatted(tensor.columns(), columns));
    }
    return of(tensor).address();
  }

  long address() {
    if (depth == CpuMemory.FREE) {
      throw new IllegalStateException("the tensor was freed");
    }
    return data.address();
  }

  /** The first so many bytes. */
  MemorySegment bytes(long bytes) {
    address();
    return data.asSlice(0, bytes);
  }

  MemorySegment data() {
    return data;
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public void close() {
    if (depth == CpuMemory.KEPT) {
      memory.free(this);
    }
  }
}
