package dev.qnext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.qnext.backend.Sampling;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.ModelFolder;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.RawTensor;
import dev.qnext.fixtures.TinyModel;
import dev.qnext.generate.Penalties;
import dev.qnext.generate.Request;
import dev.qnext.generate.Session;
import dev.qnext.mlx.NeedsMlx;
import dev.qnext.mlx.Sabotage;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Engines on MLX: replies, failures in the middle of one, two at a time. */
@NeedsMlx
class MlxEngineTest {
  private static final Path DEMO = Golden.repository().resolve("models/demo");

  @TempDir Path folder;

  private static List<Integer> reply(Engine engine, Session session, int... prompt) {
    return reply(engine, session, Sampling.GREEDY, prompt);
  }

  private static List<Integer> reply(
      Engine engine, Session session, Sampling sampling, int... prompt) {
    Request request = new Request(prompt, 30, new int[0], sampling, Penalties.NONE);
    Generation generation = engine.generate(session, request, null);
    List<Integer> ids = new ArrayList<>();
    try {
      for (Generation.Token token = generation.next(); token != null; token = generation.next()) {
        ids.add(token.id());
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    return ids;
  }

  private static int[] prompt(int length) {
    int[] ids = new int[length];
    for (int i = 0; i < length; i++) {
      ids[i] = (i * 37 + 11) % 48;
    }
    return ids;
  }

  private Path tiny() {
    return new TinyModel(ModelShape.tiny(), 1).published("BF16").write(folder);
  }

  /** Greedy and sampled: noise and filters are the same. */
  @Test
  void repliesAreThoseOfReference() {
    try (Engine mlx = Engine.open(DEMO, "mlx");
        Engine reference = Engine.open(DEMO, "reference")) {
      assertThat(mlx.backendName()).isEqualTo("mlx");
      for (int seed = 0; seed < 12; seed++) {
        Sampling sampling =
            seed < 4
                ? Sampling.GREEDY
                : new Sampling(0.7f + 0.1f * seed, seed % 3 * 20, 0.9f, 0, seed);
        int[] prompt = prompt(1 + 9 * seed);
        Session a = mlx.newSession(200);
        Session b = reference.newSession(200);
        assertThat(reply(mlx, a, sampling, prompt))
            .describedAs("seed %d", seed)
            .isEqualTo(reply(reference, b, sampling, prompt));
        mlx.close(a);
        reference.close(b);
      }
    }
  }

  static Stream<Arguments> failures() {
    List<Arguments> failures = new ArrayList<>();
    for (Sabotage.Way way : Sabotage.Way.values()) {
      for (String operation : List.of("attention", "deltaNet", "experts", "logits")) {
        failures.add(Arguments.of(way, operation, 1)); // the prompt
        failures.add(Arguments.of(way, operation, 7)); // a token later on
      }
    }
    return failures.stream();
  }

  @ParameterizedTest
  @MethodSource("failures")
  void aFailureLeaksNothingAndTheEngineGoesOn(Sabotage.Way way, String operation, int call) {
    AtomicReference<Sabotage> sabotage = new AtomicReference<>();
    Engine opened =
        Engine.openOn(
            tiny(),
            () -> {
              sabotage.set(new Sabotage());
              return sabotage.get().backend();
            });
    try (Engine engine = opened) {
      Session session = engine.newSession(100);
      List<Integer> expected = reply(engine, session, prompt(9));
      engine.close(session);
      long before = engine.call(model -> Mlx.liveArrays());

      Session second = engine.newSession(100);
      engine.call(model -> {
        sabotage.get().fail(operation, call, way);
        return true;
      });
      Throwable failure = catchThrowable(() -> reply(engine, second, prompt(9)));
      switch (way) {
        case JAVA -> assertThat(failure).hasMessage("sabotage");
        case SHAPE -> assertThat(failure).isInstanceOf(MlxException.class);
        case EVAL ->
            assertThat(failure)
                .isInstanceOf(QnextException.class)
                .hasMessageMatching(
                    "MLX failed with [\\d,]+ MB in use \\(at most [\\d,]+ MB\\): \\[GatherMM::eval].*");
        case NAN ->
            assertThat(failure)
                .isInstanceOf(QnextException.class)
                .hasMessageContaining("the logit NaN");
      }
      assertThat(reply(engine, second, prompt(9))).describedAs("after it").isEqualTo(expected);
      engine.close(second);
      assertThat(engine.<Long>call(model -> Mlx.liveArrays())).isEqualTo(before);
    }
  }

  @Test
  void twoEnginesShareTheThread() {
    Path tiny = tiny();
    List<Integer> tinyAlone;
    List<Integer> demoAlone;
    try (Engine engine = Engine.open(tiny, "mlx")) {
      tinyAlone = reply(engine, engine.newSession(100), prompt(20));
    }
    try (Engine engine = Engine.open(DEMO, "mlx")) {
      demoAlone = reply(engine, engine.newSession(100), prompt(20));
    }
    long before;
    try (Engine demo = Engine.open(DEMO, "mlx")) {
      Session first = demo.newSession(100);
      reply(demo, first, prompt(20)); // what layers fold from their weights is made at first use
      demo.close(first);
      before = demo.call(model -> Mlx.liveArrays());
      Session a = demo.newSession(100);
      try (Engine other = Engine.open(tiny, "mlx")) {
        Session b = other.newSession(100);
        for (int i = 0; i < 3; i++) {
          assertThat(reply(demo, a, prompt(20))).isEqualTo(demoAlone);
          assertThat(reply(other, b, prompt(20))).isEqualTo(tinyAlone);
        }
      }
      assertThat(reply(demo, a, prompt(20)))
          .describedAs("the other one is closed")
          .isEqualTo(demoAlone);
      demo.close(a);
      assertThat(demo.<Long>call(model -> Mlx.liveArrays())).isEqualTo(before);
    }
  }

  @Test
  void weightsThatAreNoNumbers() {
    ModelFolder model = new TinyModel(ModelShape.tiny(), 1).published("F32");
    RawTensor norm = model.tensors().get("model.layers.0.input_layernorm.weight");
    float[] values = norm.floats();
    values[3] = Float.NaN;
    model
        .tensors()
        .put("model.layers.0.input_layernorm.weight", RawTensor.f32(values, norm.shape()));
    try (Engine engine = Engine.open(model.write(folder), "mlx")) {
      Session session = engine.newSession(100);
      for (Sampling sampling : List.of(Sampling.GREEDY, new Sampling(1, 20, 0.9f, 0, 1))) {
        assertThat(catchThrowable(() -> reply(engine, session, sampling, prompt(9))))
            .isInstanceOf(QnextException.class)
            .hasMessageContaining("the logit NaN")
            .hasMessageContaining("check the files");
      }
    }
  }
}
