package dev.qnext.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Peaks;
import dev.qnext.backend.reference.AlteredBackend;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.mock.MockBackend;
import dev.qnext.model.Traffic;
import dev.qnext.quantize.Recipe;
import java.lang.foreign.Arena;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a bench does with a backend, and what it reports. Never how fast something is. */
class BenchTest {
  private static final Bench.Plan PLAN = new Bench.Plan(List.of(0, 30), List.of(5, 40), 3, 2, 1);

  private static Checkpoint make(Map<String, Object> changes) {
    Map<String, @Nullable Object> values = ModelShape.quantizable().config();
    values.putAll(changes);
    Config config = Config.of(Path.of("small", "config.json"), values);
    return new SyntheticModel(config, Recipe.of("qx53n")).make(Arena.ofShared(), 1);
  }

  @Test
  void everythingIsMeasured() {
    Checkpoint checkpoint = make(Map.of());
    Traffic traffic = Traffic.of(checkpoint);
    long bytes = checkpoint.bytes();
    Set<String> progress = new LinkedHashSet<>();
    BenchReport report;
    try (ReferenceBackend backend = new ReferenceBackend()) {
      report = Bench.run(backend, () -> checkpoint, PLAN, progress::add);
    }
    assertThat(progress)
        .containsExactly(
            "limits of this machine",
            "load",
            "first token",
            "warm-up",
            "decode at 0",
            "decode at 30",
            "verify of 1 to 4",
            "prefill of 5",
            "prefill of 40");
    assertThat(report.limits()).isNull();
    assertThat(report.modelBytes()).isEqualTo(bytes);
    assertThat(report.bytesPerToken()).isEqualTo(traffic.bytesPerToken(0, 4));
    assertThat(report.loadSeconds()).isPositive();
    assertThat(report.firstTokenSeconds()).isPositive();
    assertThat(report.decode()).extracting(BenchReport.Decode::depth).containsExactly(0L, 30L);
    assertThat(report.decode())
        .allSatisfy(d -> {
          assertThat(d.tokens()).isEqualTo(3);
          assertThat(d.tokensPerSecond()).isPositive();
          // 8 tokens of warm-up and 2 runs of 3; keys and values are f32 here.
          assertThat(d.bytesPerToken()).isEqualTo(traffic.bytesPerToken(d.depth() + 7, 4));
        });
    assertThat(report.prefill()).extracting(BenchReport.Prefill::tokens).containsExactly(5, 40);
    assertThat(report.prefill())
        .allSatisfy(p -> {
          assertThat(p.tokensPerSecond()).isPositive();
          assertThat(p.products()).isEqualTo(traffic.products(p.tokens()));
        });
    assertThat(report.verify()).extracting(BenchReport.Verify::tokens).containsExactly(2, 3, 4);
    assertThat(report.verify()).allSatisfy(v -> assertThat(v.timeOverOne()).isPositive());
    // 2 of 4 experts: more tokens never need fewer, and these all-random ones not always all.
    double before = 2;
    for (BenchReport.Verify verify : report.verify()) {
      assertThat(verify.experts()).isBetween(before, 4.0);
      before = verify.experts();
      assertThat(verify.bytesOverOne()).isBetween(1.0, 2.0);
    }
    assertThat(before).isCloseTo(traffic.expectedExperts(4), within(0.6));
    assertThatThrownBy(() -> checkpoint.tensors().get("lm_head.weight").data().fill((byte) 0))
        .describedAs("the checkpoint is closed")
        .isInstanceOf(IllegalStateException.class);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void nothingIsLeftOpen(boolean deferred) {
    MockBackend backend = new MockBackend(96);
    backend.deferred = deferred;
    backend.prefillTokens = length -> 16;
    BenchReport report =
        Bench.run(
            backend, () -> make(Map.of("mlp_only_layers", List.of(0L, 1L, 2L))), PLAN, what -> {});
    assertThat(backend.openStates).isZero();
    assertThat(backend.openTensors).isZero();
    assertThat(backend.openWeights).isZero();
    assertThat(backend.closed).isFalse();
    int warmUp = backend.passes.size() - 1 - 2 * (8 + 2 * 3) - 4 * 5 - 8 * 4 - 3 - 3 * 3;
    assertThat(warmUp).isBetween(1, 256);
    // The first token and a warm-up; two depths of 8 and twice 3; 4 + 1 + 8 passes of each width;
    // prompts with
    // a run that does not count.
    List<Integer> passes = new ArrayList<>(List.of(16));
    passes.addAll(Collections.nCopies(warmUp + 2 * (8 + 2 * 3), 1));
    for (int tokens = 1; tokens <= 4; tokens++) {
      passes.addAll(Collections.nCopies(5, tokens));
    }
    for (int i = 0; i < 8; i++) {
      passes.addAll(List.of(1, 2, 3, 4));
    }
    passes.addAll(List.of(5, 5, 5));
    for (int i = 0; i < 3; i++) {
      passes.addAll(List.of(16, 16, 8));
    }
    assertThat(backend.passes).isEqualTo(passes);
    assertThat(report.verify()).allSatisfy(v -> assertThat(v.experts()).isNaN());
  }

  @ParameterizedTest
  @ValueSource(strings = {"first token", "decode at 30", "verify of 1 to 4", "prefill of 40"})
  void nothingIsLeftOpenWhenItIsCancelled(String last) {
    MockBackend backend = new MockBackend(96);
    assertThatThrownBy(() ->
            Bench.run(
                backend,
                () -> make(Map.of("mlp_only_layers", List.of(0L, 1L, 2L))),
                PLAN,
                what -> {
                  if (what.equals(last)) {
                    throw new IllegalStateException("cancelled");
                  }
                }))
        .hasMessage("cancelled");
    assertThat(backend.openStates).isZero();
    assertThat(backend.openWeights).isZero();
  }

  /** Measured at the beginning and at the end; the larger figures count. */
  @Test
  void theLargerLimitsCount() {
    Deque<Peaks> peaks = new ArrayDeque<>(List.of(new Peaks(2, 1, 20, 3), new Peaks(2, 10, 2, 4)));
    Backend backend =
        AlteredBackend.of((name, arguments, original) ->
            name.equals("measurePeaks") ? peaks.remove() : original.call(arguments));
    Bench.Plan plan = new Bench.Plan(List.of(), List.of(), 1, 1, 1);
    BenchReport report = Bench.run(backend, () -> make(Map.of()), plan, what -> {});
    assertThat(report.limits()).isEqualTo(new Peaks(2, 10, 20, 4));
    assertThat(peaks).isEmpty();
  }

  @Test
  void memoryOrProductsLimitAPrefill() {
    Peaks peaks = new Peaks(2, 100, 1000, 1);
    assertThat(new BenchReport.Prefill(5, 1, 4000, 100).limit(peaks)).isEqualTo(5.0 / 4);
    assertThat(new BenchReport.Prefill(5, 1, 4000, 1000).limit(peaks)).isEqualTo(5.0 / 10);
    assertThat(new BenchReport.Decode(0, 1, 3, 200).bytesPerSecond()).isEqualTo(600);
  }

  /** An operation that is not handed on would be computed in some other way than the backend's. */
  @Test
  void allOperationsAreHandedOn() throws NoSuchMethodException {
    Set<String> elsewhere = Set.of("warnTo", "fingerprint", "measurePeaks", "newArena");
    for (Method method : Backend.class.getMethods()) {
      if (!elsewhere.contains(method.getName()) && !Modifier.isStatic(method.getModifiers())) {
        Method own = RouteCounter.class.getMethod(method.getName(), method.getParameterTypes());
        assertThat(own.getDeclaringClass())
            .describedAs(method.getName() + Arrays.toString(method.getParameterTypes()))
            .isEqualTo(RouteCounter.class);
      }
    }
  }
}
