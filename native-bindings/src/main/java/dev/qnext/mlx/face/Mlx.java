package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_c;
import dev.qnext.mlx.capi.mlx_optional_dtype_;
import dev.qnext.mlx.capi.mlx_optional_float_;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One thread's use of MLX on one device: operations build a lazy graph on its stream, {@link #eval}
 * and the reads compute it. Results belong to the innermost open arena. Bound to the thread that
 * opened it, as MLX's streams are; the confined memory behind the handles makes the JVM enforce
 * that.
 *
 * <p>Operations have MLX's names and meanings; "null" arguments are {@link #NONE}.
 */
public final class Mlx extends MlxContext {
  /** An argument that is left out: a struct whose pointer is null. */
  private static final MemorySegment NONE = Arena.global().allocate(8, 8);

  private static final MemorySegment NO_MASK = Arena.global().allocateFrom("");
  private static final MemorySegment CAUSAL = Arena.global().allocateFrom("causal");
  private static final MemorySegment NO_FLOAT = mlx_optional_float_.allocate(Arena.global());
  private static final MemorySegment NO_TYPE = mlx_optional_dtype_.allocate(Arena.global());

  /**
   * Opens the device for the calling thread; {@link MlxLibrary#load} comes first.
   *
   * @throws MlxException if there is no such device
   */
  public Mlx(MlxDevice device) {
    super(device);
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
}
