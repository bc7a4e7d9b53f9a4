package dev.qnext.mlx;

import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.RowOrder;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArena;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxFunction;
import dev.qnext.mlx.face.MlxQuantization;
import dev.qnext.mlx.face.MlxType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Weights on the device: packed codes as they are in the files, without a copy where the device can
 * address the map; scales and plain numbers in the type of the activations, converted once so that
 * no product does it again.
 */
final class MlxWeights implements Weights {
  private final Mlx mlx;
  private final MlxType type;
  private final Map<String, Weight> weights = new HashMap<>();
  private final Map<Format, MlxQuantization> quantizations = new HashMap<>();
  private final Set<MlxArray> arrays = Collections.newSetFromMap(new IdentityHashMap<>());
  private final List<MlxFunction> functions = new ArrayList<>();

  /** By an operation's arguments, what it has folded from its layer's weights. */
  private final Map<Object, Object> pieces = new IdentityHashMap<>();

  private boolean closed;

  MlxWeights(Mlx mlx, MlxType type, List<StoredWeight> all) {
    this.mlx = mlx;
    this.type = type;
    try {
      for (StoredWeight stored : all) {
        try (MlxArena arena = mlx.arena()) {
          weights.put(stored.spec().path(), place(stored));
        }
      }
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  /** The half type that a checkpoint's numbers have: f16 if its first matrix says so, else bf16. */
  static MlxType half(List<StoredWeight> all) {
    for (StoredWeight stored : all) {
      if (stored.spec().kind() == WeightSpec.Kind.MATRIX) {
        return stored.format().scaleType() == DType.F16 ? MlxType.FLOAT16 : MlxType.BFLOAT16;
      }
    }
    return MlxType.BFLOAT16;
  }

  /** Bytes that weights will take on the device. */
  static long bytes(MlxType type, List<StoredWeight> all) {
    long bytes = 0;
    for (StoredWeight stored : all) {
      WeightSpec spec = stored.spec();
      Format format = stored.format();
      long rows = (long) spec.experts() * spec.rows();
      bytes +=
          format.mode() == Format.Mode.PLAIN
              ? rows * spec.columns() * type.bytes()
              : rows * format.rowBytes(spec.columns())
                  + (format.mode() == Format.Mode.AFFINE
                      ? 2 * rows * (spec.columns() / format.group()) * type.bytes()
                      : rows * (spec.columns() / format.group()));
    }
    return bytes;
  }

  private Weight place(StoredWeight stored) {
    WeightSpec spec = stored.spec();
    if (spec.kind() == WeightSpec.Kind.NORM || spec.kind() == WeightSpec.Kind.VECTOR) {
      float[] values = stored.floats();
      return new MlxVector(
          spec.path(), values, constant(mlx.asType(mlx.array(values, values.length), type)), this);
    }
    Format format = stored.format();
    boolean plain = format.mode() == Format.Mode.PLAIN;
    int words = (int) (format.rowBytes(spec.columns()) / 4);
    MlxArray codes =
        plain
            ? numbers(stored, StoredWeight.Matrix::codes, format.scaleType(), spec.columns())
            : part(stored, StoredWeight.Matrix::codes, MlxType.UINT32, words);
    MlxArray scales = null;
    MlxArray biases = null;
    if (!plain) {
      int groups = spec.columns() / format.group();
      scales = numbers(stored, StoredWeight.Matrix::scales, format.scaleType(), groups);
      if (format.mode() == Format.Mode.AFFINE) {
        biases = numbers(stored, StoredWeight.Matrix::biases, format.scaleType(), groups);
      }
    }
    MlxArray transposed =
        !plain
            ? null
            : own(
                spec.kind() == WeightSpec.Kind.EXPERTS
                    ? mlx.transpose(codes, 0, 2, 1)
                    : mlx.transpose(codes, 1, 0));
    return new MlxMatrix(
        spec.path(),
        mlx,
        this,
        spec.rows(),
        spec.columns(),
        codes,
        transposed,
        scales,
        biases,
        plain ? null : quantizations.computeIfAbsent(format, MlxWeights::quantization));
  }

  private static MlxQuantization quantization(Format format) {
    return new MlxQuantization(
        format.group(), format.bits(), format.mode().name().toLowerCase(Locale.ROOT));
  }

  /** Floating numbers in the type of the activations; the scales of the fp modes stay bytes. */
  private MlxArray numbers(
      StoredWeight stored,
      Function<StoredWeight.Matrix, MemorySegment> of,
      DType from,
      int columns) {
    MlxType stands =
        switch (from) {
          case F32 -> MlxType.FLOAT32;
          case F16 -> MlxType.FLOAT16;
          case BF16 -> MlxType.BFLOAT16;
          default -> MlxType.UINT8;
        };
    MlxArray array = part(stored, of, stands, columns);
    if (stands == type || stands == MlxType.UINT8) {
      return array;
    }
    try (array) {
      return constant(mlx.asType(array, type));
    }
  }

  /**
   * One of a weight's tensors: where it lies, unless rows must be put in order or experts together.
   */
  private MlxArray part(
      StoredWeight stored,
      Function<StoredWeight.Matrix, MemorySegment> of,
      MlxType as,
      int columns) {
    WeightSpec spec = stored.spec();
    int[] shape =
        spec.kind() == WeightSpec.Kind.EXPERTS
            ? new int[] {spec.experts(), spec.rows(), columns}
            : new int[] {spec.rows(), columns};
    List<MemorySegment> parts = new ArrayList<>();
    for (int e = 0; e < spec.experts(); e++) {
      parts.add(of.apply(stored.matrix(e)));
    }
    RowOrder order = spec.rowOrder();
    MemorySegment whole = order == null ? together(parts) : null;
    if (whole != null) {
      return own(mlx.arrayOver(whole, as, shape));
    }
    try (Arena arena = Arena.ofConfined()) {
      long bytes = parts.getFirst().byteSize();
      MemorySegment copy = arena.allocate(bytes * parts.size(), 64);
      for (int e = 0; e < parts.size(); e++) {
        MemorySegment to = copy.asSlice(e * bytes, bytes);
        if (order == null) {
          to.copyFrom(parts.get(e));
        } else {
          permute(parts.get(e), to, order.stored());
        }
      }
      return own(mlx.array(copy, as, shape));
    }
  }

  private static void permute(MemorySegment from, MemorySegment to, int[] stored) {
    long row = from.byteSize() / stored.length;
    for (int i = 0; i < stored.length; i++) {
      MemorySegment.copy(from, stored[i] * row, to, i * row, row);
    }
  }

  /** The one segment that the parts are, in their order, or null. */
  private static @Nullable MemorySegment together(List<MemorySegment> parts) {
    MemorySegment first = parts.getFirst();
    long at = first.address();
    for (MemorySegment part : parts) {
      if (part.address() != at) {
        return null;
      }
      at += part.byteSize();
    }
    return MemorySegment.ofAddress(first.address()).reinterpret(at - first.address());
  }

  private MlxArray own(MlxArray array) {
    arrays.add(mlx.keep(array));
    return array;
  }

  /** An array that stays as long as the weights, computed now. */
  MlxArray constant(MlxArray array) {
    mlx.eval(array);
    return own(array);
  }

  /** Numbers in f32 that stay as long as the weights. */
  MlxArray constant(float[] values, int... shape) {
    return own(mlx.array(values, shape));
  }

  /**
   * In place of two matrices one with the rows of both, packed if both are packed alike, else
   * plain; rows of nothing fill up to a multiple of 8, which MLX's fast kernels ask for.
   */
  MlxMatrix stacked(MlxMatrix a, MlxMatrix b, MlxType plain) {
    boolean alike = a.quantization() == b.quantization();
    int fill = -(a.rows() + b.rows()) & 7;
    MlxArray codes =
        alike ? stack(a.weight(), b.weight(), fill) : stack(a.plain(plain), b.plain(plain), fill);
    boolean packed = alike && a.quantization() != null;
    MlxMatrix stacked =
        new MlxMatrix(
            a.path(),
            mlx,
            this,
            a.rows() + b.rows() + fill,
            a.columns(),
            codes,
            packed ? null : own(mlx.transpose(codes, 1, 0)),
            packed ? stackOrNull(a.scales(), b.scales(), fill) : null,
            packed ? stackOrNull(a.biases(), b.biases(), fill) : null,
            packed ? a.quantization() : null);
    release(a);
    release(b);
    return stacked;
  }

  private void release(MlxMatrix matrix) {
    for (MlxArray array :
        new MlxArray[] {matrix.weight(), matrix.transposed(), matrix.scales(), matrix.biases()}) {
      if (array != null) {
        array.close();
        arrays.remove(array);
      }
    }
  }

  private @Nullable MlxArray stackOrNull(@Nullable MlxArray a, @Nullable MlxArray b, int fill) {
    return a == null || b == null ? null : stack(a, b, fill);
  }

  private MlxArray stack(MlxArray a, MlxArray b, int fill) {
    return constant(
        fill == 0
            ? mlx.concatenate(0, a, b)
            : mlx.concatenate(0, a, b, mlx.zeros(mlx.type(a), fill, mlx.dimension(a, 1))));
  }

  /** A traced function that stays as long as the weights. */
  MlxFunction function(MlxFunction.Body body) {
    MlxFunction function = mlx.compile(body);
    functions.add(function);
    return function;
  }

  /** A traced element-wise function that stays as long as the weights. */
  MlxFunction elementWise(MlxFunction.Body body) {
    MlxFunction function = mlx.compileElementWise(body);
    functions.add(function);
    return function;
  }

  /** What was folded for these arguments, made at first use. */
  <P> P piece(Object args, Class<P> kind, Supplier<P> make) {
    Object piece = pieces.get(args);
    if (piece == null) {
      try (MlxArena arena = mlx.arena()) {
        piece = make.get();
      }
      pieces.put(args, piece);
    }
    return kind.cast(piece);
  }

  @Override
  public Weight get(String path) {
    Weight weight = weights.get(path);
    if (weight == null) {
      throw new IllegalArgumentException("no weight %s was bound".formatted(path));
    }
    return weight;
  }

  boolean isClosed() {
    return closed;
  }

  /** Waits for what still computes: it may read the checkpoint's map, which can go then. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      mlx.synchronize();
    } catch (MlxException e) {
      // It was in vain anyway.
    }
    pieces.clear();
    functions.forEach(MlxFunction::close);
    functions.clear();
    arrays.forEach(MlxArray::close);
    arrays.clear();
    weights.clear();
  }
}
