package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_c;
import dev.qnext.mlx.capi.mlx_closure_new_func_payload$fun;
import dev.qnext.mlx.capi.mlx_optional_dtype_;
import dev.qnext.mlx.capi.mlx_optional_float_;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One thread's use of MLX on one device: operations build a lazy graph on its stream, {@link #eval}
 * and the reads compute it. Results belong to the innermost open arena. Bound to the thread that
 * opened it, as MLX's streams are; the confined memory behind the handles makes the JVM enforce
 * that.
 *
 * <p>Operations have MLX's names and meanings; "null" arguments are {@link #NONE}.
 */
public final class Mlx implements AutoCloseable {
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  private static final int MOST_INTS = 24;
  private static final int MOST_HANDLES = 1024;

  /** An argument that is left out: a struct whose pointer is null. */
  private static final MemorySegment NONE = Arena.global().allocate(8, 8);

  private static final MemorySegment NO_MASK = Arena.global().allocateFrom("");
  private static final MemorySegment CAUSAL = Arena.global().allocateFrom("causal");
  private static final MemorySegment NO_FLOAT = mlx_optional_float_.allocate(Arena.global());
  private static final MemorySegment NO_TYPE = mlx_optional_dtype_.allocate(Arena.global());

  /** Arrays alive in this process, for tests of leaks. */
  private static long live;

  private final MlxDevice device;
  private final Arena memory = Arena.ofConfined();
  private final MemorySegment stream;
  private final MemorySegment ints = memory.allocate(INT, MOST_INTS);
  private final MemorySegment starts = memory.allocate(INT, MOST_INTS);
  private final MemorySegment stops = memory.allocate(INT, MOST_INTS);
  private final MemorySegment steps = memory.allocate(INT, MOST_INTS);
  private final MemorySegment handles = memory.allocate(LONG, MOST_HANDLES);
  private final MemorySegment vectorIn = memory.allocate(8, 8);
  private final MemorySegment flag = memory.allocate(ValueLayout.JAVA_BOOLEAN);
  private final SegmentAllocator intoVectorIn = (size, alignment) -> vectorIn;
  private final ArrayDeque<MemorySegment> freeSlots = new ArrayDeque<>();
  private final List<MlxArena> arenas = new ArrayList<>();

  private final Map<Long, MlxFunction.Body> bodies = new HashMap<>();
  private final List<MlxFunction> functions = new ArrayList<>();
  private final MemorySegment trace;
  private long nextBody = 1;
  private @Nullable RuntimeException traceFailure;

  /**
   * Opens the device for the calling thread; {@link MlxLibrary#load} comes first.
   *
   * @throws MlxException if there is no such device
   */
  public Mlx(MlxDevice device) {
    this.device = device;
    this.stream =
        device == MlxDevice.GPU
            ? mlx_c.mlx_default_gpu_stream_new(memory)
            : mlx_c.mlx_default_cpu_stream_new(memory);
    MlxErrors.checkHandle(stream);
    if (device == MlxDevice.CPU) {
      // Fused kernels on the CPU are made with the machine's C++ compiler; the replay alone needs
      // none.
      MlxErrors.check(mlx_c.mlx_set_compile_mode(mlx_c.MLX_COMPILE_MODE_NO_FUSE()));
    }
    for (int i = 0; i < MOST_INTS; i++) {
      steps.setAtIndex(INT, i, 1);
    }
    this.trace = mlx_closure_new_func_payload$fun.allocate(this::trace, memory);
    arenas.add(new MlxArena(this));
  }

  public MlxDevice device() {
    return device;
  }

  /** Arrays alive in this process. */
  public static long liveArrays() {
    return live;
  }

  // ----------------------------------------------------------------------------------- ownership

  /** Opens an arena inside those that are open. */
  public MlxArena arena() {
    MlxArena arena = new MlxArena(this);
    arenas.add(arena);
    return arena;
  }

  /** Takes an array out of whatever arena it is in; its own close frees it. */
  public MlxArray keep(MlxArray array) {
    array.handle();
    array.owner = null;
    return array;
  }

  /** A second handle of the same array. */
  public MlxArray share(MlxArray array) {
    MlxArray out = result();
    return done(mlx_c.mlx_array_set(out.handle(), array.handle()), out);
  }

  void leave(MlxArena arena) {
    arenas.remove(arena);
  }

  void free(MlxArray array) {
    MemorySegment slot = array.slot;
    if (slot != null) {
      array.slot = null;
      if (slot.get(LONG, 0) != 0) {
        live--;
        mlx_c.mlx_array_free(slot);
      }
      release(slot);
    }
  }

  private MlxArray result() {
    MlxArena owner = arenas.getLast();
    MlxArray array = new MlxArray(this, slot(), owner);
    owner.add(array);
    return array;
  }

  /** Room for one struct with a pointer, which is null. */
  private MemorySegment slot() {
    MemorySegment slot = freeSlots.poll();
    if (slot == null) {
      MemorySegment slab = memory.allocate(LONG, 256);
      for (int i = 1; i < 256; i++) {
        freeSlots.push(slab.asSlice(8L * i, 8));
      }
      slot = slab.asSlice(0, 8);
    }
    return slot;
  }

  private void release(MemorySegment slot) {
    slot.set(LONG, 0, 0);
    freeSlots.push(slot);
  }

  private static MlxArray done(int status, MlxArray result) {
    if (status != 0) {
      throw MlxErrors.failure();
    }
    live++;
    return result;
  }

  // -------------------------------------------------------------------------------- scratch memory

  /** Writes a list of ints that a call takes; valid until the next call. */
  private MemorySegment ints(int... values) {
    for (int i = 0; i < values.length; i++) {
      ints.setAtIndex(INT, i, values[i]);
    }
    return ints;
  }

  /** A vector of arrays, to be freed after the call that takes it. */
  private MemorySegment vector(MlxArray... arrays) {
    if (arrays.length > MOST_HANDLES) {
      throw new IllegalArgumentException("%d arrays in one call".formatted(arrays.length));
    }
    for (int i = 0; i < arrays.length; i++) {
      handles.setAtIndex(LONG, i, arrays[i].handle().get(LONG, 0));
    }
    return MlxErrors.checkHandle(
        mlx_c.mlx_vector_array_new_data(intoVectorIn, handles, arrays.length));
  }

  // ------------------------------------------------------------------------------------ array data

  /** An array with a copy of the data. */
  public MlxArray array(MemorySegment data, MlxType type, int... shape) {
    MlxArray out = result();
    MemorySegment slot = out.handle();
    mlx_c.mlx_array_new_data(
        (size, alignment) -> slot, data, ints(shape), shape.length, type.code());
    MlxErrors.checkHandle(slot);
    live++;
    return out;
  }

  /**
   * An array over memory that stays as it is as long as the process lives, without a copy where the
   * device can address it (Metal: address and length multiples of the page); else with one.
   */
  public MlxArray arrayOver(MemorySegment data, MlxType type, int... shape) {
    MlxArray out = result();
    MemorySegment slot = out.handle();
    mlx_c.mlx_array_new_data_managed_payload(
        (size, alignment) -> slot,
        data,
        ints(shape),
        shape.length,
        type.code(),
        MemorySegment.NULL,
        MlxLibrary.FREE);
    MlxErrors.checkHandle(slot);
    live++;
    return out;
  }

  public MlxArray array(float[] values, int... shape) {
    try (Arena arena = Arena.ofConfined()) {
      return array(arena.allocateFrom(ValueLayout.JAVA_FLOAT, values), MlxType.FLOAT32, shape);
    }
  }

  public MlxArray array(int[] values, MlxType type, int... shape) {
    try (Arena arena = Arena.ofConfined()) {
      return array(arena.allocateFrom(INT, values), type, shape);
    }
  }

  public int dimension(MlxArray a, int axis) {
    return mlx_c.mlx_array_dim(a.handle(), axis);
  }

  public int dimensions(MlxArray a) {
    return (int) mlx_c.mlx_array_ndim(a.handle());
  }

  public MlxType type(MlxArray a) {
    return MlxType.of(mlx_c.mlx_array_dtype(a.handle()));
  }

  public long bytes(MlxArray a) {
    return mlx_c.mlx_array_nbytes(a.handle());
  }

  /** Computes arrays and waits. */
  public void eval(MlxArray... arrays) {
    MemorySegment vector = vector(arrays);
    int status = mlx_c.mlx_eval(vector);
    mlx_c.mlx_vector_array_free(vector);
    MlxErrors.check(status);
  }

  /** Begins to compute arrays and returns. */
  public void start(MlxArray... arrays) {
    MemorySegment vector = vector(arrays);
    int status = mlx_c.mlx_async_eval(vector);
    mlx_c.mlx_vector_array_free(vector);
    MlxErrors.check(status);
  }

  /** Waits for all that was started on the stream. */
  public void synchronize() {
    MlxErrors.check(mlx_c.mlx_synchronize(stream));
  }

  /**
   * Copies the numbers, row by row, in the array's own type; computes them first. Does not wait for
   * what was started after them if they lie in order, as the results of all but views do.
   */
  public void read(MlxArray a, MemorySegment into) {
    try (MlxArena arena = arena()) {
      eval(a);
      MlxArray flat = a;
      if (!liesInOrder(a)) {
        flat = contiguous(a);
        eval(flat);
      }
      MemorySegment from =
          switch (type(a)) {
            case FLOAT32 -> mlx_c.mlx_array_data_float32(flat.handle());
            case INT32 -> mlx_c.mlx_array_data_int32(flat.handle());
            case UINT32 -> mlx_c.mlx_array_data_uint32(flat.handle());
            // mlx-c has no readers for halves; the bytes are the same under any 16-bit name.
            case FLOAT16, BFLOAT16 -> mlx_c.mlx_array_data_uint16(flat.handle());
            default -> throw new IllegalArgumentException("cannot read " + type(a));
          };
      if (from.address() == 0) {
        throw MlxErrors.failure();
      }
      long bytes = bytes(flat);
      MemorySegment.copy(from.reinterpret(bytes), 0, into, 0, bytes);
    }
  }

  /** A computed array's numbers are row by row in memory. */
  private boolean liesInOrder(MlxArray a) {
    MlxErrors.check(mlx_c._mlx_array_is_row_contiguous(flag, a.handle()));
    return flag.get(ValueLayout.JAVA_BOOLEAN, 0);
  }

  /** An array was computed; does not wait. */
  public boolean isComputed(MlxArray a) {
    MlxErrors.check(mlx_c._mlx_array_is_available(flag, a.handle()));
    return flag.get(ValueLayout.JAVA_BOOLEAN, 0);
  }

  // ----------------------------------------------------------------------------------- operations

  public MlxArray add(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_add(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray subtract(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_subtract(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray multiply(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_multiply(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray divide(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_divide(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray maximum(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_maximum(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray minimum(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_minimum(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray negative(MlxArray a) {
    MlxArray out = result();
    return done(mlx_c.mlx_negative(out.handle(), a.handle(), stream), out);
  }

  public MlxArray exp(MlxArray a) {
    MlxArray out = result();
    return done(mlx_c.mlx_exp(out.handle(), a.handle(), stream), out);
  }

  public MlxArray log(MlxArray a) {
    MlxArray out = result();
    return done(mlx_c.mlx_log(out.handle(), a.handle(), stream), out);
  }

  public MlxArray log1p(MlxArray a) {
    MlxArray out = result();
    return done(mlx_c.mlx_log1p(out.handle(), a.handle(), stream), out);
  }

  public MlxArray logAddExp(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_logaddexp(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray sigmoid(MlxArray a) {
    MlxArray out = result();
    return done(mlx_c.mlx_sigmoid(out.handle(), a.handle(), stream), out);
  }

  public MlxArray equal(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_equal(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray less(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_less(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray greaterEqual(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_greater_equal(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray and(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_logical_and(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray where(MlxArray condition, MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_where(out.handle(), condition.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray bitwiseXor(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_bitwise_xor(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray rightShift(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_right_shift(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray asType(MlxArray a, MlxType type) {
    MlxArray out = result();
    return done(mlx_c.mlx_astype(out.handle(), a.handle(), type.code(), stream), out);
  }

  /** The same bytes under another type. */
  public MlxArray view(MlxArray a, MlxType type) {
    MlxArray out = result();
    return done(mlx_c.mlx_view(out.handle(), a.handle(), type.code(), stream), out);
  }

  public MlxArray zeros(MlxType type, int... shape) {
    MlxArray out = result();
    return done(mlx_c.mlx_zeros(out.handle(), ints(shape), shape.length, type.code(), stream), out);
  }

  public MlxArray arange(double start, double stop, double step, MlxType type) {
    MlxArray out = result();
    return done(mlx_c.mlx_arange(out.handle(), start, stop, step, type.code(), stream), out);
  }

  public MlxArray contiguous(MlxArray a) {
    MlxArray out = result();
    return done(mlx_c.mlx_contiguous(out.handle(), a.handle(), false, stream), out);
  }

  public MlxArray reshape(MlxArray a, int... shape) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_reshape(out.handle(), a.handle(), ints(shape), shape.length, stream), out);
  }

  public MlxArray transpose(MlxArray a, int... axes) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_transpose_axes(out.handle(), a.handle(), ints(axes), axes.length, stream), out);
  }

  public MlxArray expandDims(MlxArray a, int axis) {
    MlxArray out = result();
    return done(mlx_c.mlx_expand_dims(out.handle(), a.handle(), axis, stream), out);
  }

  public MlxArray broadcastTo(MlxArray a, int... shape) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_broadcast_to(out.handle(), a.handle(), ints(shape), shape.length, stream), out);
  }

  /**
   * Elements from {@code start} (inclusive) to {@code stop} (exclusive) on one axis of {@code
   * rank}.
   */
  public MlxArray slice(MlxArray a, int axis, int start, int stop) {
    MlxArray out = result();
    int rank = range(a, axis, start, stop);
    return done(
        mlx_c.mlx_slice(out.handle(), a.handle(), starts, rank, stops, rank, steps, rank, stream),
        out);
  }

  /**
   * {@code a} with {@code update} put at {@code start} of one axis; in place where nobody else
   * needs {@code a}.
   */
  public MlxArray sliceUpdate(MlxArray a, MlxArray update, int axis, int start) {
    MlxArray out = result();
    int rank = range(a, axis, start, start + dimension(update, axis));
    return done(
        mlx_c.mlx_slice_update(
            out.handle(),
            a.handle(),
            update.handle(),
            starts,
            rank,
            stops,
            rank,
            steps,
            rank,
            stream),
        out);
  }

  /** Writes the bounds of a slice; stops behind an axis's end mean its end. Returns the rank. */
  private int range(MlxArray a, int axis, int start, int stop) {
    int rank = dimensions(a);
    for (int i = 0; i < rank; i++) {
      starts.setAtIndex(INT, i, i == axis ? start : 0);
      stops.setAtIndex(INT, i, i == axis ? stop : Integer.MAX_VALUE);
    }
    return rank;
  }

  public MlxArray concatenate(int axis, MlxArray... arrays) {
    MlxArray out = result();
    MemorySegment vector = vector(arrays);
    int status = mlx_c.mlx_concatenate_axis(out.handle(), vector, axis, stream);
    mlx_c.mlx_vector_array_free(vector);
    return done(status, out);
  }

  /** Equal parts along an axis. */
  public MlxArray[] split(MlxArray a, int parts, int axis) {
    MemorySegment vector = slot();
    try {
      MlxErrors.check(mlx_c.mlx_split(vector, a.handle(), parts, axis, stream));
      return elements(vector);
    } finally {
      mlx_c.mlx_vector_array_free(vector);
      release(vector);
    }
  }

  public MlxArray take(MlxArray a, MlxArray indices, int axis) {
    MlxArray out = result();
    return done(mlx_c.mlx_take_axis(out.handle(), a.handle(), indices.handle(), axis, stream), out);
  }

  public MlxArray takeAlong(MlxArray a, MlxArray indices, int axis) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_take_along_axis(out.handle(), a.handle(), indices.handle(), axis, stream), out);
  }

  public MlxArray sum(MlxArray a, int axis, boolean keepDims) {
    MlxArray out = result();
    return done(mlx_c.mlx_sum_axis(out.handle(), a.handle(), axis, keepDims, stream), out);
  }

  public MlxArray max(MlxArray a, int axis, boolean keepDims) {
    MlxArray out = result();
    return done(mlx_c.mlx_max_axis(out.handle(), a.handle(), axis, keepDims, stream), out);
  }

  public MlxArray cumulativeSum(MlxArray a, int axis, boolean reverse, boolean inclusive) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_cumsum_axis(out.handle(), a.handle(), axis, reverse, inclusive, NO_TYPE, stream),
        out);
  }

  public MlxArray argMax(MlxArray a, int axis, boolean keepDims) {
    MlxArray out = result();
    return done(mlx_c.mlx_argmax_axis(out.handle(), a.handle(), axis, keepDims, stream), out);
  }

  public MlxArray argSort(MlxArray a, int axis) {
    MlxArray out = result();
    return done(mlx_c.mlx_argsort_axis(out.handle(), a.handle(), axis, stream), out);
  }

  public MlxArray argPartition(MlxArray a, int kth, int axis) {
    MlxArray out = result();
    return done(mlx_c.mlx_argpartition_axis(out.handle(), a.handle(), kth, axis, stream), out);
  }

  public MlxArray floorDivide(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_floor_divide(out.handle(), a.handle(), b.handle(), stream), out);
  }

  public MlxArray softmax(MlxArray a, int axis) {
    MlxArray out = result();
    return done(mlx_c.mlx_softmax_axis(out.handle(), a.handle(), axis, true, stream), out);
  }

  public MlxArray lowerTriangle(MlxArray a, int diagonal) {
    MlxArray out = result();
    return done(mlx_c.mlx_tril(out.handle(), a.handle(), diagonal, stream), out);
  }

  public MlxArray matmul(MlxArray a, MlxArray b) {
    MlxArray out = result();
    return done(mlx_c.mlx_matmul(out.handle(), a.handle(), b.handle(), stream), out);
  }

  /** a times the matrices of b that the right indices choose; see {@link #gatherQmm}. */
  public MlxArray gatherMm(
      MlxArray a, MlxArray b, @Nullable MlxArray left, MlxArray right, boolean sorted) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_gather_mm(
            out.handle(), a.handle(), b.handle(), orNone(left), right.handle(), sorted, stream),
        out);
  }

  /** x times the transposed quantized matrix. */
  public MlxArray quantizedMatmul(
      MlxArray x, MlxArray w, MlxArray scales, @Nullable MlxArray biases, MlxQuantization q) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_quantized_matmul(
            out.handle(),
            x.handle(),
            w.handle(),
            scales.handle(),
            orNone(biases),
            true,
            q.group,
            q.bits,
            q.mode,
            stream),
        out);
  }

  /**
   * Products with some of many quantized matrices: the result's batch is that of the indices, which
   * choose among the matrices of x (left) and of w (right).
   *
   * @param sorted the right indices ascend
   */
  public MlxArray gatherQmm(
      MlxArray x,
      MlxArray w,
      MlxArray scales,
      @Nullable MlxArray biases,
      @Nullable MlxArray left,
      MlxArray right,
      MlxQuantization q,
      boolean sorted) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_gather_qmm(
            out.handle(),
            x.handle(),
            w.handle(),
            scales.handle(),
            orNone(biases),
            orNone(left),
            right.handle(),
            true,
            q.group,
            q.bits,
            q.mode,
            sorted,
            stream),
        out);
  }

  public MlxArray dequantize(
      MlxArray w, MlxArray scales, @Nullable MlxArray biases, MlxQuantization q, MlxType type) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment optional = mlx_optional_dtype_.allocate(arena);
      mlx_optional_dtype_.value(optional, type.code());
      mlx_optional_dtype_.has_value(optional, true);
      MlxArray out = result();
      return done(
          mlx_c.mlx_dequantize(
              out.handle(),
              w.handle(),
              scales.handle(),
              orNone(biases),
              q.group,
              q.bits,
              q.mode,
              NONE,
              optional,
              stream),
          out);
    }
  }

  public MlxArray rmsNorm(MlxArray x, @Nullable MlxArray weight, float eps) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_fast_rms_norm(out.handle(), x.handle(), orNone(weight), eps, stream), out);
  }

  /**
   * Turns the half-split pairs of the first {@code dims} numbers of x [..., T, D].
   *
   * @param periods reciprocals of the frequencies, [dims / 2]
   */
  public MlxArray rope(MlxArray x, int dims, int offset, MlxArray periods) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_fast_rope(
            out.handle(), x.handle(), dims, false, NO_FLOAT, 1, offset, periods.handle(), stream),
        out);
  }

  /** Which keys a query of {@link #attention} sees. */
  public enum Mask {
    ALL,
    /** The last query sees all keys, each one before it one less. */
    CAUSAL
  }

  /**
   * softmax(q k^T scale) v for q [1, heads, T, D], k and v [1, kvHeads, L, D].
   *
   * @param fused insist on the kernel that keeps no score matrix
   */
  public MlxArray attention(
      MlxArray q, MlxArray k, MlxArray v, float scale, Mask mask, boolean fused) {
    MlxArray out = result();
    return done(
        mlx_c.mlx_fast_scaled_dot_product_attention(
            out.handle(),
            q.handle(),
            k.handle(),
            v.handle(),
            scale,
            mask == Mask.CAUSAL ? CAUSAL : NO_MASK,
            NONE,
            NONE,
            fused,
            stream),
        out);
  }

  private static MemorySegment orNone(@Nullable MlxArray a) {
    return a == null ? NONE : a.handle();
  }

  // ------------------------------------------------------------------------------------- compiling

  /**
   * A function that is traced once per combination of input shapes. Lives until it or this is
   * closed.
   */
  public MlxFunction compile(MlxFunction.Body body) {
    return compile(body, false);
  }

  /**
   * A function that is traced once for inputs of any shape: element-wise operations only, whose
   * results' shapes follow from their inputs'.
   */
  public MlxFunction compileElementWise(MlxFunction.Body body) {
    return compile(body, true);
  }

  private MlxFunction compile(MlxFunction.Body body, boolean shapeless) {
    long id = nextBody++;
    bodies.put(id, body);
    MemorySegment plain = memory.allocate(8, 8);
    MlxErrors.checkHandle(
        mlx_c.mlx_closure_new_func_payload(
            (size, alignment) -> plain, trace, MemorySegment.ofAddress(id), MemorySegment.NULL));
    MemorySegment compiled = memory.allocate(8, 8);
    int status = mlx_c.mlx_compile(compiled, plain, shapeless);
    mlx_c.mlx_closure_free(plain);
    MlxErrors.check(status);
    MlxFunction function = new MlxFunction(this, id, compiled);
    functions.add(function);
    return function;
  }

  void forget(long id, MlxFunction function) {
    bodies.remove(id);
    functions.remove(function);
  }

  MlxArray[] apply(MemorySegment closure, MlxArray... inputs) {
    // Not the shared vector: tracing comes back here for more of them.
    MemorySegment in = slot();
    MemorySegment out = slot();
    in.set(LONG, 0, vector(inputs).get(LONG, 0));
    try {
      int status = mlx_c.mlx_closure_apply(out, closure, in);
      RuntimeException failure = traceFailure;
      if (failure != null) {
        traceFailure = null;
        throw failure;
      }
      MlxErrors.check(status);
      return elements(out);
    } finally {
      mlx_c.mlx_vector_array_free(in);
      mlx_c.mlx_vector_array_free(out);
      release(in);
      release(out);
    }
  }

  private MlxArray[] elements(MemorySegment vector) {
    MlxArray[] elements = new MlxArray[(int) mlx_c.mlx_vector_array_size(vector)];
    for (int i = 0; i < elements.length; i++) {
      MlxArray element = result();
      elements[i] = done(mlx_c.mlx_vector_array_get(element.handle(), vector, i), element);
    }
    return elements;
  }

  /** Called back by MLX to build a function's graph. No exception may leave it. */
  private int trace(MemorySegment results, MemorySegment inputs, MemorySegment payload) {
    try (MlxArena arena = arena()) {
      MlxFunction.Body body = Objects.requireNonNull(bodies.get(payload.address()));
      MlxArray[] out = body.build(elements(inputs));
      for (int i = 0; i < out.length; i++) {
        handles.setAtIndex(LONG, i, out[i].handle().get(LONG, 0));
      }
      return mlx_c.mlx_vector_array_set_data(results, handles, out.length);
    } catch (RuntimeException e) {
      traceFailure = e;
      return 1;
    } catch (Throwable e) {
      traceFailure = new IllegalStateException(e);
      return 1;
    }
  }

  // --------------------------------------------------------------------------------------- closing

  /** Frees every array and function of this device, and its stream. */
  @Override
  public void close() {
    while (!functions.isEmpty()) {
      functions.getLast().close();
    }
    while (!arenas.isEmpty()) {
      arenas.getLast().close();
    }
    mlx_c.mlx_stream_free(stream);
    memory.close();
  }
}
