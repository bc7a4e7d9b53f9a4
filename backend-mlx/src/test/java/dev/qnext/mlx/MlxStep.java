package dev.qnext.mlx;

import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.mlx.face.MlxMemory;
import dev.qnext.model.LanguageModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/**
 * Steps of a model on MLX for scripts/bench-host, the twin of scripts/host/mlx_lm_step.py.
 *
 * <pre>
 * launches MODEL [CONTEXT [TOKENS]]  kernels of one decode step, or of a verify pass of so many tokens
 * prefill MODEL [CONTEXT [TOKENS]]   kernels of one prefill pass
 * build MODEL [STEPS]                milliseconds to build one decode step, medians: wall, processor
 * load MODEL                         seconds to open and bind a model on MLX's CPU device, megabytes in use then
 * logits MODEL OUT IDS...            logits of every position in f32 on MLX's CPU device, as raw f32
 * </pre>
 *
 * All but the last two need the dry GPU.
 */
final class MlxStep implements AutoCloseable {
  private final MlxBackend backend;
  private final Checkpoint checkpoint;
  private final LanguageModel model;
  private final State state;
  private Tensor token;
  private boolean open;

  /** A sequence with a prompt of so many tokens behind it. */
  MlxStep(Path folder, MlxDevice device, int context) {
    MlxLibrary.load();
    backend = new MlxBackend(new Mlx(device));
    checkpoint = Checkpoint.open(folder);
    model = LanguageModel.load(checkpoint, backend);
    state = backend.newState(model.stateShape(), context + 10_000L);
    token = backend.tokens(new int[1]);
    for (int read = 0; read < context; read += 2048) {
      pass(Pass.PREFILL, Math.min(2048, context - read));
    }
  }

  public static void main(String[] arguments) throws Throwable {
    Path folder = Path.of(arguments[1]);
    switch (arguments[0]) {
      case "launches" -> launches(folder, number(arguments, 2, 16), number(arguments, 3, 1));
      case "prefill" -> prefill(folder, number(arguments, 2, 0), number(arguments, 3, 512));
      case "build" -> build(folder, number(arguments, 2, 2000));
      case "load" -> load(folder);
      case "logits" ->
          logits(
              folder,
              Path.of(arguments[2]),
              Arrays.stream(arguments, 3, arguments.length).mapToInt(Integer::parseInt).toArray());
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  private static int number(String[] arguments, int at, int otherwise) {
    return at < arguments.length ? Integer.parseInt(arguments[at]) : otherwise;
  }

  private static void launches(Path folder, int context, int tokens) throws Throwable {
    try (MlxStep step = new MlxStep(folder, MlxDevice.GPU, context)) {
      Map<String, DryGpu.Count> counts = Map.of();
      for (int i = 0; i < 4; i++) { // the first ones trace, and make buffers
        counts =
            DryGpu.count(() -> {
              if (tokens == 1) {
                step.decode(Sampling.GREEDY);
                step.start();
              } else {
                step.pass(Pass.VERIFY, tokens);
              }
            });
      }
      System.out.print(DryGpu.print(counts));
    }
  }

  private static void prefill(Path folder, int context, int tokens) throws Throwable {
    try (MlxStep step = new MlxStep(folder, MlxDevice.GPU, context)) {
      System.out.print(DryGpu.print(DryGpu.count(() -> step.pass(Pass.PREFILL, tokens))));
    }
  }

  private static void build(Path folder, int steps) {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    try (MlxStep step = new MlxStep(folder, MlxDevice.GPU, 16)) {
      long[] wall = new long[steps];
      long[] processor = new long[steps];
      for (int i = 0; i < steps; i++) {
        long start = System.nanoTime();
        long used = threads.getCurrentThreadCpuTime();
        step.decode(Sampling.GREEDY);
        processor[i] = threads.getCurrentThreadCpuTime() - used;
        wall[i] = System.nanoTime() - start;
        step.start();
      }
      System.out.printf("%.3f %.3f%n", median(wall) / 1e6, median(processor) / 1e6);
    }
  }

  private static void load(Path folder) {
    long start = System.nanoTime();
    try (MlxStep step = new MlxStep(folder, MlxDevice.CPU, 0)) {
      System.out.printf(
          "%.2f %d%n", (System.nanoTime() - start) / 1e9, MlxMemory.active() / 1_000_000);
    }
  }

  /** Of the second half: Java compiles while it runs. */
  private static long median(long[] nanos) {
    int half = nanos.length / 2;
    Arrays.sort(nanos, half, nanos.length);
    return nanos[half + (nanos.length - half) / 2];
  }

  private static void logits(Path folder, Path out, int[] ids) throws Exception {
    try (MlxStep step = new MlxStep(folder, MlxDevice.CPU, 0);
        Arena arena = Arena.ofConfined()) {
      step.state.begin(Pass.PREFILL, ids.length);
      Tensor hidden = step.model.forward(step.backend.tokens(ids), step.state);
      Tensor logits = step.model.logits(hidden, Rows.all(hidden));
      MemorySegment floats =
          arena.allocate(ValueLayout.JAVA_FLOAT, (long) ids.length * step.model.vocabularySize());
      step.backend.readFloats(logits, floats);
      step.state.accept(ids.length);
      Files.write(out, floats.toArray(ValueLayout.JAVA_BYTE));
    }
  }

  /** Builds the next step from a token that nobody has read; the pass before it is kept. */
  void decode(Sampling sampling) {
    if (open) {
      state.accept(1);
    }
    state.begin(Pass.VERIFY, 1);
    open = true;
    Tensor next;
    try (Scope scope = backend.scope()) {
      Tensor hidden = model.forward(token, state);
      next =
          scope.keep(
              backend.sample(model.logits(hidden, Rows.all(hidden)), sampling, state.length() + 1));
    }
    token.close();
    token = next;
  }

  /** Begins to compute what {@link #decode} built. */
  void start() {
    backend.start(token);
  }

  /** A pass of so many tokens, computed up to a token for each row; a verify pass keeps half. */
  void pass(Pass pass, int tokens) {
    if (open) {
      state.accept(1);
      open = false;
    }
    state.begin(pass, tokens);
    Tensor drawn;
    try (Scope scope = backend.scope()) {
      Tensor hidden = model.forward(backend.tokens(new int[tokens]), state);
      Rows rows = pass == Pass.PREFILL ? Rows.last(hidden) : Rows.all(hidden);
      drawn =
          scope.keep(backend.sample(model.logits(hidden, rows), Sampling.GREEDY, state.length()));
    }
    backend.start(drawn);
    drawn.close();
    state.accept(pass == Pass.PREFILL ? tokens : tokens / 2);
  }

  @Override
  public void close() {
    token.close();
    state.close();
    model.close();
    checkpoint.close();
    backend.close();
  }
}
