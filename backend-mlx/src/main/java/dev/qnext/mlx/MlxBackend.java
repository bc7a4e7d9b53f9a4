package dev.qnext.mlx;

import dev.qnext.QnextException;
import dev.qnext.backend.AddNorm;
import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.Backend;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArena;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxDevices;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.mlx.face.MlxMemory;
import dev.qnext.mlx.face.MlxType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The seam over MLX: bf16 on a GPU, f32 on the CPU, whose bf16 is slow and inexact. Bits of a row
 * may depend on how many rows a pass has; how often that changes a token is measured, not excluded.
 */
public final class MlxBackend implements Backend {
  /**
   * Freed buffers that MLX keeps: without a limit they grow to fill the machine, without any it is
   * slower by half.
   */
  private static final long CACHE_LIMIT = 1L << 30;

  private final Mlx mlx;
  private final MlxSampler sampler;
  private final MlxLimits limits;

  /** Of the activations; a GPU computes in the half that the first of the bound weights has. */
  private MlxType type;

  private @Nullable MlxWeights first;

  MlxBackend(Mlx mlx) {
    this(mlx, new MlxLimits(mlx.device()));
  }

  MlxBackend(Mlx mlx, MlxLimits limits) {
    this(mlx, limits, mlx.device() == MlxDevice.CPU ? MlxType.FLOAT32 : MlxType.BFLOAT16);
  }

  /**
   * @param type of the activations; a GPU's may follow its weights
   */
  MlxBackend(Mlx mlx, MlxLimits limits, MlxType type) {
    this.mlx = mlx;
    this.type = type;
    this.sampler = new MlxSampler(mlx);
    this.limits = limits;
    MlxMemory.cacheLimit(CACHE_LIMIT);
  }

  /** Runs what computes, and turns MLX's failure into a sentence. */
  static void guarded(Runnable work) {
    try {
      work.run();
    } catch (MlxException e) {
      throw failed(e);
    }
  }

  static QnextException failed(MlxException e) {
    return new QnextException(
        "MLX failed with %,d MB in use (at most %,d MB): %s"
            .formatted(MlxMemory.active() >> 20, MlxMemory.peak() >> 20, e.getMessage()),
        e);
  }

  @Override
  public String name() {
    return "mlx";
  }

  @Override
  public boolean deferred() {
    return true;
  }

  @Override
  public DType activationType() {
    return switch (type) {
      case FLOAT16 -> DType.F16;
      case BFLOAT16 -> DType.BF16;
      default -> DType.F32;
    };
  }

  /** Device, version, the library's file, and what makes MLX choose other kernels. */
  @Override
  public String fingerprint() {
    Path file = MlxLibrary.load().file();
    String size;
    try {
      size = "%d %s".formatted(Files.size(file), Files.getLastModifiedTime(file));
    } catch (IOException e) {
      size = "unknown size";
    }
    return String.join(
        ", ",
        mlx.device().name(),
        MlxDevices.text(mlx.device(), "device_name"),
        MlxDevices.text(mlx.device(), "architecture"),
        MlxLibrary.VERSION,
        file.toString(),
        size,
        "MLX_METAL_GPU_ARCH=" + System.getenv("MLX_METAL_GPU_ARCH"),
        "MLX_ENABLE_TF32=" + System.getenv("MLX_ENABLE_TF32"));
  }

  /** Where this backend computes. */
  MlxDevice device() {
    return mlx.device();
  }

  @Override
  public void warnTo(Consumer<String> warnings) {
    limits.warnTo(warnings);
  }

  @Override
  public Weights bind(Checkpoint checkpoint, Layout layout) {
    List<StoredWeight> all = layout.weights().stream().map(checkpoint::find).toList();
    boolean alone = first == null || first.isClosed();
    // What is bound beside a model computes on its activations.
    if (mlx.device() == MlxDevice.GPU && alone) {
      type = MlxWeights.half(all);
    }
    limits.requireWeights(MlxWeights.bytes(type, all));
    try {
      MlxWeights weights = new MlxWeights(mlx, type, all);
      if (alone) {
        first = weights;
      }
      return weights;
    } catch (MlxException e) {
      throw failed(e);
    }
  }

  @Override
  public State newState(StateShape shape, long capacity) {
    try (MlxArena arena = mlx.arena()) {
      MlxState state = new MlxState(mlx, type, limits, shape, capacity);
      try {
        guarded(state::eval);
      } catch (Throwable e) {
        state.close();
        throw e;
      }
      limits.wire();
      return state;
    }
  }

  @Override
  public Scope scope() {
    MlxArena arena = mlx.arena();
    return new Scope() {
      @Override
      public Tensor keep(Tensor tensor) {
        MlxTensor t = MlxTensor.of(tensor);
        mlx.keep(t.array());
        if (t.drawn() != null) {
          mlx.keep(t.drawn());
        }
        return t;
      }

      @Override
      public void close() {
        arena.close();
      }
    };
  }

  /** The watchdog of a GPU that also draws the screen bounds tokens times context, not tokens. */
  @Override
  public int prefillTokens(long length) {
    if (mlx.device() == MlxDevice.CPU) {
      return 512;
    }
    return length < 32_768 ? 2048 : length < 65_536 ? 1024 : 512;
  }

  @Override
  public Tensor tokens(int[] ids) {
    return new MlxTensor(mlx.array(ids, MlxType.UINT32, ids.length, 1), ids.length, 1);
  }

  @Override
  public Tensor embed(Weight table, Tensor tokens) {
    MlxMatrix matrix = MlxMatrix.of(table);
    MlxArray ids = mlx.reshape(MlxTensor.of(tokens).array(), tokens.rows());
    return new MlxTensor(matrix.lookUp(ids, type), tokens.rows(), matrix.columns());
  }

  @Override
  public Tensor linear(Weight weight, Tensor x) {
    MlxMatrix matrix = MlxMatrix.of(weight);
    return new MlxTensor(
        matrix.multiply(MlxTensor.array(x, matrix.columns())), x.rows(), matrix.rows());
  }

  @Override
  public AddNorm addNorm(Tensor residual, @Nullable Tensor delta, Weight norm, float eps) {
    MlxTensor sum = MlxTensor.of(residual);
    if (delta != null) {
      sum =
          new MlxTensor(
              mlx.add(sum.array(), MlxTensor.array(delta, sum.columns())),
              sum.rows(),
              sum.columns());
    }
    MlxArray normed = mlx.rmsNorm(sum.array(), MlxVector.of(norm).array(), eps);
    return new AddNorm(sum, new MlxTensor(normed, sum.rows(), sum.columns()));
  }

  @Override
  public Tensor attention(
      AttentionArgs args, Tensor qGate, Tensor k, Tensor v, State state, int layer) {
    MlxState s = (MlxState) state;
    int tokens = qGate.rows();
    int width = args.heads() * args.headDim();
    int kvWidth = args.kvHeads() * args.headDim();
    MlxArray out =
        MlxAttention.of(mlx, args)
            .attend(
                MlxTensor.array(qGate, 2 * width),
                MlxTensor.array(k, kvWidth),
                MlxTensor.array(v, kvWidth),
                tokens,
                s.keyValues(layer),
                s.first(tokens));
    return new MlxTensor(out, tokens, width);
  }

  @Override
  public Tensor deltaNet(DeltaArgs args, Tensor qkvz, Tensor ba, State state, int layer) {
    MlxState s = (MlxState) state;
    StateShape.Delta shape = args.shape();
    int tokens = qkvz.rows();
    s.first(tokens);
    int width = shape.valueHeads() * shape.valueDim();
    MlxDeltaNet net = MlxDeltaNet.of(mlx, args, type);
    MlxArray out =
        net.mix(
            MlxTensor.array(qkvz, shape.channels() + width),
            MlxTensor.array(ba, 2 * shape.valueHeads()),
            tokens,
            Objects.requireNonNull(s.pass()),
            s.recurrence(layer).by(net));
    return new MlxTensor(out, tokens, width);
  }

  @Override
  public Tensor experts(ExpertArgs args, Tensor x) {
    MlxArray out = MlxExperts.of(mlx, args, type).forward(MlxTensor.of(x).array(), x.rows());
    return new MlxTensor(out, x.rows(), x.columns());
  }

  @Override
  public Tensor swiglu(Tensor gate, Tensor up) {
    MlxArray out =
        MlxExperts.swiglu(mlx, MlxTensor.of(gate).array(), MlxTensor.array(up, gate.columns()));
    return new MlxTensor(out, gate.rows(), gate.columns());
  }

  @Override
  public Tensor concat(Tensor a, Tensor b) {
    MlxArray out = mlx.concatenate(1, MlxTensor.of(a).array(), MlxTensor.of(b).array());
    return new MlxTensor(out, a.rows(), a.columns() + b.columns());
  }

  @Override
  public Tensor rows(Tensor x, Rows rows) {
    return new MlxTensor(rowsOf(x, rows), rows.count(), x.columns());
  }

  private MlxArray rowsOf(Tensor x, Rows rows) {
    MlxArray array = MlxTensor.of(x).array();
    return rows.count() == x.rows()
        ? mlx.share(array)
        : mlx.slice(array, 0, rows.first(), rows.first() + rows.count());
  }

  @Override
  public Tensor logits(Weight head, Tensor x, Rows rows) {
    MlxMatrix matrix = MlxMatrix.of(head);
    return new MlxTensor(matrix.multiply(rowsOf(x, rows)), rows.count(), matrix.rows());
  }

  @Override
  public Tensor sample(Tensor logits, Sampling sampling, long position) {
    return sampler.sample(MlxTensor.of(logits), sampling, position);
  }

  @Override
  public void start(Tensor tensor) {
    MlxTensor t = MlxTensor.of(tensor);
    guarded(() -> {
      if (t.drawn() == null) {
        mlx.start(t.array());
      } else {
        mlx.start(t.array(), t.drawn());
      }
    });
  }

  @Override
  public int[] readTokens(Tensor tokens) {
    MlxTensor t = MlxTensor.of(tokens);
    int[] ids = new int[t.rows()];
    guarded(() -> mlx.read(t.array(), MemorySegment.ofArray(ids)));
    MlxArray drawn = t.drawn();
    if (drawn != null) {
      float[] logits = new float[t.rows()];
      guarded(() -> mlx.read(drawn, MemorySegment.ofArray(logits)));
      for (int i = 0; i < ids.length; i++) {
        if (!Float.isFinite(logits[i])) {
          throw new QnextException(
              "the model gave token %d the logit %s: its weights are damaged, or too large for this backend; check the files"
                  .formatted(ids[i], logits[i]));
        }
      }
    }
    return ids;
  }

  @Override
  public void readFloats(Tensor tensor, MemorySegment into) {
    guarded(() -> {
      try (MlxArena arena = mlx.arena()) {
        mlx.read(mlx.asType(MlxTensor.of(tensor).array(), MlxType.FLOAT32), into);
      }
    });
  }

  @Override
  public void close() {
    mlx.close();
  }
}
