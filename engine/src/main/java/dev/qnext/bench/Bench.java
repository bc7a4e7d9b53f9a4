package dev.qnext.bench;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Peaks;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.model.LanguageModel;
import dev.qnext.model.Traffic;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Measures how fast a model runs on a backend: load, first token, decoding behind contexts, reading
 * prompts, and passes of a few tokens. Token ids are random, and so is what fills a context; the
 * median of several runs counts. Runs on the engine's thread.
 */
public final class Bench {
  /** Tokens of the prompt whose first answer is timed. */
  public static final int FIRST_PROMPT = 16;

  /** Tokens of the verify passes that are compared with one of one token. */
  private static final List<Integer> VERIFIED = List.of(2, 3, 4);

  /** Passes by which the router's choice is counted. */
  private static final int COUNTED = 4;

  /** Tokens before those that count: caches fill, and Java compiles what a small model repeats. */
  private static final int WARM_UP_TOKENS = 8;

  private static final int LONG_WARM_UP_TOKENS = 256;
  private static final double LONG_WARM_UP_SECONDS = 1;

  /**
   * What is to be measured.
   *
   * @param depths contexts behind which to decode
   * @param prompts lengths of prompts
   * @param tokens to decode in one run
   * @param repeat runs of each
   */
  public record Plan(
      List<Integer> depths, List<Integer> prompts, int tokens, int repeat, long seed) {
    public Plan {
      depths = List.copyOf(depths);
      prompts = List.copyOf(prompts);
    }
  }

  /** Told before every pass what is being done; an exception from here ends the bench. */
  @FunctionalInterface
  public interface Progress {
    void doing(String what);
  }

  private final RouteCounter backend;
  private final LanguageModel model;
  private final Traffic traffic;
  private final Plan plan;
  private final Progress progress;
  private final SplittableRandom random;

  private Bench(RouteCounter backend, LanguageModel model, Traffic traffic, Plan plan, Progress p) {
    this.backend = backend;
    this.model = model;
    this.traffic = traffic;
    this.plan = plan;
    this.progress = p;
    this.random = new SplittableRandom(plan.seed);
  }

  /**
   * Measures everything.
   *
   * @param checkpoints opens the checkpoint, which counts as loading; it is closed afterwards
   */
  public static BenchReport run(
      Backend backend, Supplier<Checkpoint> checkpoints, Plan plan, Progress progress) {
    progress.doing("limits of this machine");
    Peaks before = backend.measurePeaks();
    progress.doing("load");
    long start = System.nanoTime();
    try (Checkpoint checkpoint = checkpoints.get();
        RouteCounter counter = new RouteCounter(backend, checkpoint);
        LanguageModel model = LanguageModel.load(checkpoint, counter)) {
      double load = seconds(start);
      Traffic traffic = Traffic.of(checkpoint);
      Bench bench = new Bench(counter, model, traffic, plan, progress);
      double first = bench.firstToken();
      bench.warmUp();
      List<BenchReport.Decode> decode = new ArrayList<>();
      for (int depth : plan.depths) {
        decode.add(bench.decode(depth));
      }
      List<BenchReport.Verify> verify = bench.verify();
      List<BenchReport.Prefill> prefill = new ArrayList<>();
      for (int tokens : plan.prompts) {
        prefill.add(bench.prefill(tokens));
      }
      progress.doing("limits of this machine");
      return new BenchReport(
          larger(before, backend.measurePeaks()),
          checkpoint.bytes(),
          traffic.bytesPerToken(0, backend.cacheType().bytes()),
          load,
          first,
          decode,
          prefill,
          verify);
    }
  }

  /** Others may have used the machine during one of the two measurements. */
  private static @Nullable Peaks larger(@Nullable Peaks a, @Nullable Peaks b) {
    return a == null || b == null
        ? b
        : new Peaks(
            b.threads(),
            Math.max(a.readBytesPerSecond(), b.readBytesPerSecond()),
            Math.max(a.int8PerSecond(), b.int8PerSecond()),
            Math.max(a.f32PerSecond(), b.f32PerSecond()));
  }

  private static double seconds(long start) {
    return 1e-9 * (System.nanoTime() - start);
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  private State newState(long capacity) {
    return backend.newState(model.stateShape(), capacity);
  }

  private Tensor randomTokens(int count) {
    return backend.tokens(random.ints(count, 0, model.vocabularySize()).toArray());
  }

  /** Reads random tokens; what is drawn behind the given rows is kept and being computed. */
  private Tensor read(State state, Pass pass, int tokens, boolean all) {
    state.begin(pass, tokens);
    Tensor drawn;
    try (Scope scope = backend.scope()) {
      Tensor hidden = model.forward(randomTokens(tokens), state);
      Tensor logits = model.logits(hidden, all ? Rows.all(hidden) : Rows.last(hidden));
      drawn = scope.keep(backend.sample(logits, Sampling.GREEDY, state.length() + 1));
    }
    backend.start(drawn);
    state.accept(tokens);
    return drawn;
  }

  private void await(Tensor drawn) {
    backend.readTokens(drawn);
    drawn.close();
  }

  private double firstToken() {
    progress.doing("first token");
    try (State state = newState(FIRST_PROMPT)) {
      long start = System.nanoTime();
      await(read(state, Pass.PREFILL, FIRST_PROMPT, false));
      return seconds(start);
    }
  }

  private void warmUp() {
    try (State state = newState(LONG_WARM_UP_TOKENS)) {
      long start = System.nanoTime();
      for (int i = 0; i < LONG_WARM_UP_TOKENS && seconds(start) < LONG_WARM_UP_SECONDS; i++) {
        decode(state, 1, "warm-up");
      }
    }
  }

  private BenchReport.Decode decode(int depth) {
    String what = "decode at %,d".formatted(depth);
    progress.doing(what);
    int tokens = plan.tokens;
    try (State state = newState(depth + WARM_UP_TOKENS + (long) plan.repeat * tokens)) {
      state.fill(depth, plan.seed);
      decode(state, WARM_UP_TOKENS, what);
      double[] seconds = new double[plan.repeat];
      for (int i = 0; i < plan.repeat; i++) {
        long start = System.nanoTime();
        decode(state, tokens, what);
        seconds[i] = seconds(start);
      }
      // The context grows while it is measured.
      long middle = (depth + state.length()) / 2;
      return new BenchReport.Decode(
          depth,
          tokens,
          tokens / median(seconds),
          traffic.bytesPerToken(middle, backend.cacheType().bytes()));
    }
  }

  /** As a reply is decoded: the next step is under way before a token is read. */
  private void decode(State state, int tokens, String what) {
    Tensor before = null;
    for (int i = 0; i < tokens; i++) {
      progress.doing(what);
      Tensor drawn = read(state, Pass.VERIFY, 1, false);
      if (before != null) {
        await(before);
      }
      before = drawn;
    }
    if (before != null) {
      await(before);
    }
  }

  private BenchReport.Prefill prefill(int tokens) {
    String what = "prefill of %,d".formatted(tokens);
    try (State state = newState(tokens)) {
      double[] seconds = new double[plan.repeat];
      // The first run does not count.
      for (int i = -1; i < plan.repeat; i++) {
        state.rewind(0);
        long start = System.nanoTime();
        prefill(state, tokens, what);
        if (i >= 0) {
          seconds[i] = seconds(start);
        }
      }
      double bytes = 0;
      for (int from = 0; from < tokens; ) {
        int count = Math.min(tokens - from, backend.prefillTokens(from));
        bytes +=
            traffic.bytes(count, traffic.expectedExperts(count), from, backend.cacheType().bytes());
        from += count;
      }
      return new BenchReport.Prefill(
          tokens, tokens / median(seconds), traffic.products(tokens), bytes);
    }
  }

  private void prefill(State state, int tokens, String what) {
    while (state.length() < tokens) {
      progress.doing(what);
      long from = state.length();
      int count = (int) Math.min(tokens - from, backend.prefillTokens(from));
      if (from + count < tokens) {
        readOnly(state, count);
      } else {
        await(read(state, Pass.PREFILL, count, false));
      }
    }
  }

  /** A part of a prompt, behind which nothing is drawn. */
  private void readOnly(State state, int tokens) {
    state.begin(Pass.PREFILL, tokens);
    try (Scope scope = backend.scope()) {
      model.forward(randomTokens(tokens), state);
    }
    state.accept(tokens);
  }

  private List<BenchReport.Verify> verify() {
    int most = VERIFIED.getLast();
    int passes = Math.max(4, plan.tokens / 2) * plan.repeat;
    double[][] seconds = new double[most + 1][passes];
    double[] experts = new double[most + 1];
    try (State state = newState((long) most * most * (COUNTED + 1 + passes))) {
      for (int tokens = 1; tokens <= most; tokens++) {
        backend.startCounting();
        for (int i = 0; i < COUNTED; i++) {
          timed(state, tokens);
        }
        experts[tokens] = backend.stopCounting();
        timed(state, tokens);
      }
      // In turns, so that all widths see the same machine.
      for (int i = 0; i < passes; i++) {
        for (int tokens = 1; tokens <= most; tokens++) {
          seconds[tokens][i] = timed(state, tokens);
        }
      }
      List<BenchReport.Verify> out = new ArrayList<>();
      for (int tokens : VERIFIED) {
        out.add(
            new BenchReport.Verify(
                tokens,
                median(seconds[tokens]) / median(seconds[1]),
                bytes(tokens, experts, state) / bytes(1, experts, state),
                experts[tokens]));
      }
      return out;
    }
  }

  private double bytes(int tokens, double[] experts, State state) {
    double read = Double.isNaN(experts[tokens]) ? 0 : experts[tokens];
    return traffic.bytes(tokens, read, state.length() / 2, backend.cacheType().bytes());
  }

  private double timed(State state, int tokens) {
    progress.doing("verify of 1 to 4");
    long start = System.nanoTime();
    await(read(state, Pass.VERIFY, tokens, true));
    return seconds(start);
  }
}
