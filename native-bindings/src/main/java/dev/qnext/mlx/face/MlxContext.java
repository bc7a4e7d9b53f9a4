package dev.qnext.mlx.face;

import dev.qnext.mlx.capi.mlx_c;
import dev.qnext.mlx.capi.mlx_closure_new_func_payload$fun;
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
 * What all operations of {@link Mlx} stand on: the device's stream, who owns which array, memory
 * for arguments, data in and out, evaluation and traced functions.
 */
abstract class MlxContext implements AutoCloseable {
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  private static final int MOST_INTS = 24;
  private static final int MOST_HANDLES = 1024;

  /** Arrays alive in this process, for tests of leaks. */
  private static long live;

  private final MlxDevice device;
  private final Arena memory = Arena.ofConfined();
  final MemorySegment stream;
  private final MemorySegment ints = memory.allocate(INT, MOST_INTS);
  final MemorySegment starts = memory.allocate(INT, MOST_INTS);
  final MemorySegment stops = memory.allocate(INT, MOST_INTS);
  final MemorySegment steps = memory.allocate(INT, MOST_INTS);
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
  MlxContext(MlxDevice device) {
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

  final MlxArray result() {
    MlxArena owner = arenas.getLast();
    MlxArray array = new MlxArray(this, slot(), owner);
    owner.add(array);
    return array;
  }

  /** Room for one struct with a pointer, which is null. */
  final MemorySegment slot() {
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

  final void release(MemorySegment slot) {
    slot.set(LONG, 0, 0);
    freeSlots.push(slot);
  }

  static MlxArray done(int status, MlxArray result) {
    if (status != 0) {
      throw MlxErrors.failure();
    }
    live++;
    return result;
  }

  // -------------------------------------------------------------------------------- scratch memory

  /** Writes a list of ints that a call takes; valid until the next call. */
  final MemorySegment ints(int... values) {
    for (int i = 0; i < values.length; i++) {
      ints.setAtIndex(INT, i, values[i]);
    }
    return ints;
  }

  /** A vector of arrays, to be freed after the call that takes it. */
  final MemorySegment vector(MlxArray... arrays) {
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

  /** A computed array's numbers are row by row in memory. */
  final boolean liesInOrder(MlxArray a) {
    MlxErrors.check(mlx_c._mlx_array_is_row_contiguous(flag, a.handle()));
    return flag.get(ValueLayout.JAVA_BOOLEAN, 0);
  }

  /** An array was computed; does not wait. */
  public boolean isComputed(MlxArray a) {
    MlxErrors.check(mlx_c._mlx_array_is_available(flag, a.handle()));
    return flag.get(ValueLayout.JAVA_BOOLEAN, 0);
  }

  /** Waits for all that was started on the stream. */
  public void synchronize() {
    MlxErrors.check(mlx_c.mlx_synchronize(stream));
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

  final MlxArray[] elements(MemorySegment vector) {
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
