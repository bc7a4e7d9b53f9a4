package dev.qnext.cpu;

import dev.qnext.backend.Pass;
import dev.qnext.backend.PassState;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * State on the C side (operations.h): per layer the pages of keys and values in f16, or the
 * matrices of a delta net with what the last verify pass would add to them.
 */
final class CpuState extends PassState {
  private static final int MAGIC = 0x714E5843; // "qNXC"

  /** Positions that are read or written at a time: a damaged length must not take all memory. */
  private static final int BLOCK = 256;

  private final CpuBackend backend;
  private final StateShape shape;

  /** {@code struct qn_kv} or {@code struct qn_delta_state}; 0 after closing. */
  private final long[] layers;

  CpuState(CpuBackend backend, StateShape shape, long capacity) {
    super(MAGIC, shape.toString(), capacity);
    this.backend = backend;
    this.shape = shape;
    this.layers = new long[shape.layers().size()];
    try (Arena arena = Arena.ofConfined()) {
      for (int i = 0; i < layers.length; i++) {
        layers[i] =
            CpuBackend.made(
                switch (shape.layers().get(i)) {
                  case StateShape.Attention a -> CpuNative.kvNew(a.kvHeads(), a.headDim());
                  case StateShape.Delta d ->
                      CpuNative.deltaNew(backend.context(), CpuStructs.shape(d, arena).address());
                });
      }
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  private CpuState(CpuState original, int length) {
    super(MAGIC, original.shape.toString(), original.capacity());
    this.backend = original.backend;
    this.shape = original.shape;
    this.layers = new long[original.layers.length];
    try {
      for (int i = 0; i < layers.length; i++) {
        layers[i] =
            CpuBackend.made(
                isDelta(i)
                    ? CpuNative.deltaFork(backend.context(), original.layers[i])
                    : CpuNative.kvFork(original.layers[i], length));
      }
      holds(length);
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  private boolean isDelta(int layer) {
    return shape.layers().get(layer) instanceof StateShape.Delta;
  }

  /** The address of a {@code struct qn_kv}. */
  long keyValues(int layer) {
    return alive(layer);
  }

  /** The address of a {@code struct qn_delta_state}. */
  long recurrence(int layer) {
    return alive(layer);
  }

  private long alive(int layer) {
    if (layers[layer] == 0) {
      throw new IllegalStateException("the state is closed");
    }
    return layers[layer];
  }

  @Override
  protected void keep(Pass closing, int n, int tokens) {
    for (int i = 0; i < layers.length; i++) {
      if (isDelta(i)) {
        CpuNative.deltaAccept(alive(i), n);
      }
    }
  }

  @Override
  protected void forget() {
    for (int i = 0; i < layers.length; i++) {
      if (isDelta(i)) {
        CpuNative.deltaClear(alive(i));
      } else {
        CpuNative.kvTruncate(alive(i), 0);
      }
    }
  }

  @Override
  protected boolean isRecurrent() {
    return shape.layers().stream().anyMatch(layer -> layer instanceof StateShape.Delta);
  }

  @Override
  public State fork() {
    requireClosed();
    return new CpuState(this, (int) length());
  }

  @Override
  protected void write(DataOutputStream out, int tokens) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      for (int i = 0; i < layers.length; i++) {
        switch (shape.layers().get(i)) {
          case StateShape.Delta d -> {
            MemorySegment bytes = arena.allocate(bytes(d), 4);
            CpuBackend.check(
                CpuNative.deltaExport(backend.context(), alive(i), tokens, bytes.address()));
            out.write(bytes.toArray(ValueLayout.JAVA_BYTE));
          }
          case StateShape.Attention a -> {
            MemorySegment bytes = arena.allocate(BLOCK * bytes(a), 4);
            for (int from = 0; from < tokens; from += BLOCK) {
              int count = Math.min(BLOCK, tokens - from);
              CpuBackend.check(CpuNative.kvExport(alive(i), from, count, bytes.address()));
              out.write(bytes.asSlice(0, count * bytes(a)).toArray(ValueLayout.JAVA_BYTE));
            }
          }
        }
      }
    }
  }

  @Override
  protected void read(DataInputStream in, int tokens) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      for (int i = 0; i < layers.length; i++) {
        switch (shape.layers().get(i)) {
          case StateShape.Delta d -> {
            MemorySegment bytes = arena.allocate(bytes(d), 4);
            read(in, bytes, bytes.byteSize());
            CpuBackend.check(CpuNative.deltaImport(alive(i), tokens, bytes.address()));
          }
          case StateShape.Attention a -> {
            MemorySegment bytes = arena.allocate(BLOCK * bytes(a), 4);
            for (int from = 0; from < tokens; from += BLOCK) {
              int count = Math.min(BLOCK, tokens - from);
              read(in, bytes, count * bytes(a));
              CpuBackend.check(CpuNative.kvImport(alive(i), from, count, bytes.address()));
            }
          }
        }
      }
    }
  }

  private static void read(DataInputStream in, MemorySegment to, long count) throws IOException {
    byte[] bytes = in.readNBytes(Math.toIntExact(count));
    if (bytes.length < count) {
      throw new EOFException();
    }
    MemorySegment.copy(bytes, 0, to, ValueLayout.JAVA_BYTE, 0, bytes.length);
  }

  /** Of an exported delta net. */
  private static long bytes(StateShape.Delta d) {
    return 4L * d.valueHeads() * d.valueDim() * d.keyDim() + 4L * (d.kernel() - 1) * d.channels();
  }

  /** Of one exported position. */
  private static long bytes(StateShape.Attention a) {
    return 4L * a.kvHeads() * a.headDim();
  }

  @Override
  protected void randomize(int tokens, SplittableRandom random) {
    try (Arena arena = Arena.ofConfined()) {
      for (int i = 0; i < layers.length; i++) {
        switch (shape.layers().get(i)) {
          case StateShape.Delta d -> {
            MemorySegment numbers = arena.allocate(bytes(d), 4);
            for (long at = 0; at < numbers.byteSize(); at += 4) {
              numbers.set(ValueLayout.JAVA_FLOAT, at, random.nextInt() * 0x1p-35f);
            }
            CpuBackend.check(CpuNative.deltaImport(alive(i), tokens, numbers.address()));
          }
          case StateShape.Attention a -> {
            MemorySegment block = arena.allocate(BLOCK * bytes(a), 4);
            for (long at = 0; at < block.byteSize(); at += 2) {
              short half = Float.floatToFloat16(random.nextInt() * 0x1p-31f);
              block.set(ValueLayout.JAVA_SHORT, at, half);
            }
            // One block over and over: a bench asks for the time that keys take, not for their
            // sense.
            for (int from = 0; from < tokens; from += BLOCK) {
              int count = Math.min(BLOCK, tokens - from);
              CpuBackend.check(CpuNative.kvImport(alive(i), from, count, block.address()));
            }
          }
        }
      }
    }
  }

  @Override
  public long bytes() {
    long bytes = 0;
    for (int i = 0; i < layers.length; i++) {
      bytes += isDelta(i) ? CpuNative.deltaBytes(alive(i)) : CpuNative.kvBytes(alive(i));
    }
    return bytes;
  }

  @Override
  public void close() {
    for (int i = 0; i < layers.length; i++) {
      if (layers[i] != 0) {
        if (isDelta(i)) {
          CpuNative.deltaFree(layers[i]);
        } else {
          CpuNative.kvFree(layers[i]);
        }
      }
    }
    Arrays.fill(layers, 0);
  }
}
