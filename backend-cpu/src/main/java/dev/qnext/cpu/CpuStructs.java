package dev.qnext.cpu;

import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.Rope;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Weight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * What the seam's records are on the C side (products.h, operations.h): made when an operation
 * first sees them, freed with the backend. C asserts the sizes and offsets.
 */
final class CpuStructs implements AutoCloseable {
  private final Arena arena = Arena.ofConfined();
  private final Map<Object, Long> made = new IdentityHashMap<>();
  private final Map<Rope, Long> ropes = new IdentityHashMap<>();

  /** {@code struct qn_experts}. */
  long experts(ExpertArgs args) {
    Long known = made.get(args);
    return known != null ? known : remember(args, newExperts(args));
  }

  /** {@code struct qn_attention}. */
  long attention(AttentionArgs args) {
    Long known = made.get(args);
    return known != null ? known : remember(args, newAttention(args));
  }

  /** {@code struct qn_delta}. */
  long delta(DeltaArgs args) {
    Long known = made.get(args);
    return known != null ? known : remember(args, newDelta(args));
  }

  private long remember(Object args, MemorySegment struct) {
    made.put(args, struct.address());
    return struct.address();
  }

  private MemorySegment newExperts(ExpertArgs args) {
    MemorySegment struct = arena.allocate(72, 8);
    struct.set(ValueLayout.JAVA_INT, 0, args.chosen());
    struct.set(ValueLayout.JAVA_INT, 4, args.renormalise() ? 1 : 0);
    long at = 8;
    for (Weight weight :
        new Weight[] {
          args.gate(),
          args.gateProj(),
          args.upProj(),
          args.downProj(),
          args.sharedGateProj(),
          args.sharedUpProj(),
          args.sharedDownProj(),
          args.sharedExpertGate()
        }) {
      struct.set(ValueLayout.JAVA_LONG, at, CpuMatrix.of(weight).struct());
      at += 8;
    }
    return struct;
  }

  private MemorySegment newAttention(AttentionArgs args) {
    MemorySegment struct = arena.allocate(40, 8);
    struct.set(ValueLayout.JAVA_INT, 0, args.heads());
    struct.set(ValueLayout.JAVA_INT, 4, args.kvHeads());
    struct.set(ValueLayout.JAVA_INT, 8, args.headDim());
    struct.set(ValueLayout.JAVA_FLOAT, 12, args.eps());
    struct.set(ValueLayout.JAVA_LONG, 16, rope(args.rope()));
    struct.set(ValueLayout.JAVA_LONG, 24, CpuVector.of(args.qNorm()).address());
    struct.set(ValueLayout.JAVA_LONG, 32, CpuVector.of(args.kNorm()).address());
    return struct;
  }

  private long rope(Rope rope) {
    Long known = ropes.get(rope);
    if (known == null) {
      MemorySegment frequencies =
          arena.allocateFrom(ValueLayout.JAVA_FLOAT, rope.inverseFrequency());
      known =
          CpuBackend.made(
              CpuNative.ropeNew(rope.rotaryDim(), frequencies.address(), rope.attentionFactor()));
      ropes.put(rope, known);
    }
    return known;
  }

  private MemorySegment newDelta(DeltaArgs args) {
    MemorySegment struct = arena.allocate(56, 8);
    MemorySegment.copy(shape(args.shape(), arena), 0, struct, 0, SHAPE_BYTES);
    struct.set(ValueLayout.JAVA_FLOAT, 20, args.eps());
    struct.set(ValueLayout.JAVA_LONG, 24, transposed(args));
    struct.set(ValueLayout.JAVA_LONG, 32, CpuVector.of(args.aLog()).address());
    struct.set(ValueLayout.JAVA_LONG, 40, CpuVector.of(args.dtBias()).address());
    struct.set(ValueLayout.JAVA_LONG, 48, CpuVector.of(args.norm()).address());
    return struct;
  }

  private static final long SHAPE_BYTES = 20;

  /** {@code struct qn_delta_shape}. */
  static MemorySegment shape(StateShape.Delta shape, Arena arena) {
    return arena.allocateFrom(
        ValueLayout.JAVA_INT,
        shape.keyHeads(),
        shape.valueHeads(),
        shape.keyDim(),
        shape.valueDim(),
        shape.kernel());
  }

  /** The convolution's weights [channels, kernel] as [kernel, channels]. */
  private long transposed(DeltaArgs args) {
    CpuVector conv = CpuVector.of(args.conv1d());
    int taps = args.shape().kernel();
    int channels = args.shape().channels();
    MemorySegment in = MemorySegment.ofAddress(conv.address()).reinterpret(4L * conv.length());
    MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, conv.length());
    for (int c = 0; c < channels; c++) {
      for (int k = 0; k < taps; k++) {
        out.setAtIndex(
            ValueLayout.JAVA_FLOAT,
            (long) k * channels + c,
            in.getAtIndex(ValueLayout.JAVA_FLOAT, (long) c * taps + k));
      }
    }
    return out.address();
  }

  @Override
  public void close() {
    ropes.values().forEach(CpuNative::ropeFree);
    arena.close();
  }
}
