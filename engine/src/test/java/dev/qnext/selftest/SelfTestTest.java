package dev.qnext.selftest;

import static dev.qnext.backend.reference.AlteredBackend.map;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.QnextException;
import dev.qnext.backend.AddNorm;
import dev.qnext.backend.Backend;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weights;
import dev.qnext.backend.reference.AlteredBackend;
import dev.qnext.backend.reference.AlteredBackend.Alteration;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.selftest.SelfTest.Report;
import dev.qnext.selftest.SelfTest.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** That the self-test passes what is right and finds every fault, one of each operation. */
class SelfTestTest {
  private static Report run(Backend backend) {
    return SelfTest.run(backend, (done, all) -> {});
  }

  private static Set<String> failing(Report report) {
    return report.failures().stream().map(Result::operation).collect(Collectors.toSet());
  }

  @Test
  void nothingStaysBehind() {
    Set<Path> folders = new HashSet<>();
    run(
        AlteredBackend.of((name, arguments, original) -> {
          if (name.equals("bind") && arguments[0] instanceof Checkpoint checkpoint) {
            assertThat(checkpoint.folder().resolve("model.safetensors")).exists();
            folders.add(checkpoint.folder());
            throw new IllegalStateException("made up");
          }
          return original.call(arguments);
        }));
    assertThat(folders).singleElement().satisfies(folder -> assertThat(folder).doesNotExist());
  }

  @Test
  void theReferenceIsItself() {
    List<Integer> progress = new ArrayList<>();
    Report report =
        SelfTest.run(
            new ReferenceBackend(),
            (done, all) -> {
              progress.add(done);
              assertThat(all).isGreaterThanOrEqualTo(done);
            });
    assertThat(report.results()).isNotEmpty().allSatisfy(r -> assertThat(r.error()).isZero());
    assertThat(report.passed()).isTrue();
    assertThat(report.activationType()).isEqualTo(DType.F32);
    assertThat(progress).hasSize(report.results().size()).isSorted();
    Set<String> names = new HashSet<>();
    report.results().forEach(r -> assertThat(names.add(r.operation() + r.sizes())).isTrue());
  }

  /** Nothing that a model calls is left out. */
  @Test
  void everyMethodOfTheSeamIsCalled() {
    Set<String> called = new TreeSet<>();
    Backend backend =
        AlteredBackend.of((name, arguments, original) -> {
          called.add(name);
          return original.call(arguments);
        });
    run(backend);
    Set<String> expected = new TreeSet<>();
    for (var method : Backend.class.getMethods()) {
      expected.add(method.getName());
    }
    for (var method : State.class.getMethods()) {
      expected.add("State." + method.getName());
    }
    // Facts about the backend, what decides how much is done at once, and what serves benches.
    expected.removeAll(
        Set.of(
            "name",
            "close",
            "deferred",
            "mayBeCutOff",
            "warnTo",
            "fingerprint",
            "prefillTokens",
            "measurePeaks",
            "useThreads",
            "newArena",
            "cacheType",
            "State.fill",
            "State.capacity",
            "State.bytes"));
    assertThat(called).containsAll(expected);
  }

  @Test
  void allFormatsAndNumbersOfRows() {
    List<String> sizes =
        run(new ReferenceBackend()).results().stream()
            .filter(r -> r.operation().equals("linear"))
            .map(Result::sizes)
            .toList();
    for (String format : List.of("f32", "f16", "bf16", "mxfp4", "mxfp8", "nvfp4")) {
      assertThat(sizes).contains(format + ", 1 row", format + ", 8 rows", format + ", 16 rows");
    }
    for (int bits : new int[] {2, 3, 4, 5, 6, 8}) {
      for (int group : new int[] {32, 64, 128}) {
        for (String rows : List.of("1 row", "8 rows", "16 rows", "40 rows")) {
          assertThat(sizes).contains("%d bit, groups of %d, %s".formatted(bits, group, rows));
        }
      }
    }
  }

  private static Arguments fault(String name, String expected, Alteration alteration) {
    return Arguments.of(name, Set.of(expected.split(" ", -1)), alteration);
  }

  /** Changes one number in what a method gives back. */
  private static Arguments number(String call, String expected) {
    return fault(
        call,
        expected,
        (name, arguments, original) -> {
          Object result = original.call(arguments);
          return name.equals(call) ? oneOff(result) : result;
        });
  }

  /** One number of the last row is off by about as much as numbers are large. */
  private static Tensor oneOff(Object tensor) {
    Tensor t = (Tensor) tensor;
    return map(t, (row, column, v) -> row == t.rows() - 1 && column == 0 ? v + 2 : v);
  }

  static Stream<Arguments> faults() {
    return Stream.of(
        number("linear", "linear"),
        number("attention", "attention state"),
        number("deltaNet", "deltaNet state"),
        number("experts", "experts"),
        number("swiglu", "swiglu"),
        number("concat", "concat"),
        number("rows", "rows"),
        number("logits", "logits"),
        number("sample", "sample"),
        // All inputs come through embed.
        Arguments.of(
            "embed",
            Set.of(
                "embed",
                "linear",
                "addNorm",
                "attention",
                "deltaNet",
                "experts",
                "swiglu",
                "concat",
                "rows",
                "logits",
                "sample",
                "state"),
            (Alteration)
                (name, arguments, original) -> {
                  Object result = original.call(arguments);
                  return name.equals("embed")
                      ? map(result, (row, column, v) -> row == 0 ? v + 1 : v)
                      : result;
                }),
        fault(
            "embed of quantized tables",
            "embed",
            (name, arguments, original) -> {
              Object result = original.call(arguments);
              return name.equals("embed") && arguments[0].toString().contains("4-bit-64")
                  ? oneOff(result)
                  : result;
            }),
        fault(
            "addNorm, the sum",
            "addNorm",
            (name, arguments, original) -> {
              Object result = original.call(arguments);
              return result instanceof AddNorm(Tensor residual, Tensor normed)
                  ? new AddNorm(oneOff(residual), normed)
                  : result;
            }),
        fault(
            "addNorm, the norm",
            "addNorm",
            (name, arguments, original) -> {
              Object result = original.call(arguments);
              return result instanceof AddNorm(Tensor residual, Tensor normed)
                  ? new AddNorm(residual, oneOff(normed))
                  : result;
            }),
        fault(
            "rows that begin elsewhere",
            "rows",
            (name, arguments, original) -> {
              if (name.equals("rows") && arguments[1] instanceof Rows(int first, int count)) {
                arguments[1] = new Rows(Math.max(0, first - 1), count);
              }
              return original.call(arguments);
            }),
        fault(
            "sampling for another position",
            "sample",
            (name, arguments, original) -> {
              if (name.equals("sample")) {
                arguments[2] = (long) (int) (long) arguments[2];
              }
              return original.call(arguments);
            }),
        fault(
            "tokens that come back wrong",
            "sample",
            (name, arguments, original) -> {
              Object result = original.call(arguments);
              if (result instanceof int[] ids && name.equals("readTokens")) {
                ids[ids.length - 1]++;
              }
              return result;
            }),
        fault(
            "weights in the order of the file",
            "linear",
            (name, arguments, original) -> {
              if (arguments.length == 2 && arguments[1] instanceof Layout layout) {
                arguments[1] =
                    new Layout(
                        layout.weights().stream()
                            .map(w ->
                                new WeightSpec(
                                    w.path(), w.kind(), w.experts(), w.rows(), w.columns(), null))
                            .toList());
              }
              return original.call(arguments);
            }),
        // Matrix units were seen like this: mlx#3586.
        fault(
            "many rows in 4 bit",
            "linear",
            (name, arguments, original) -> {
              Object result = original.call(arguments);
              return name.equals("linear")
                      && arguments[0].toString().contains("4-bit-64")
                      && result instanceof Tensor t
                      && t.rows() > 8
                  ? map(t, (row, column, v) -> row >= 8 ? -v : v)
                  : result;
            }),
        fault(
            "a verify pass that keeps one more",
            "attention deltaNet",
            (name, arguments, original) -> {
              if (name.equals("State.accept") && (int) arguments[0] == 2) {
                arguments[0] = 3;
              }
              return original.call(arguments);
            }),
        fault(
            "a fork that is the same state",
            "state",
            new Alteration() {
              private Object target;

              @Override
              public Object answer(
                  String name, Object[] arguments, AlteredBackend.Original original)
                  throws Throwable {
                if (name.equals("newState")) {
                  target = original.call(arguments);
                  return target;
                }
                return name.equals("State.fork") ? target : original.call(arguments);
              }
            }),
        fault(
            "a rewind that does nothing",
            "state",
            (name, arguments, original) ->
                name.equals("State.rewind") ? null : original.call(arguments)),
        fault(
            "a restore that does nothing",
            "state",
            (name, arguments, original) ->
                name.equals("State.restore") ? null : original.call(arguments)),
        fault(
            "a save that loses bytes",
            "state",
            (name, arguments, original) -> {
              if (name.equals("State.save")) {
                arguments[0] = java.io.OutputStream.nullOutputStream();
              }
              return original.call(arguments);
            }),
        fault(
            "a missing row",
            "linear",
            (name, arguments, original) -> {
              Object result = original.call(arguments);
              return name.equals("linear") && result instanceof Tensor t && t.rows() > 1
                  ? new ReferenceBackend().rows(t, new Rows(0, t.rows() - 1))
                  : result;
            }),
        fault(
            "not a number",
            "swiglu",
            (name, arguments, original) -> {
              Object result = original.call(arguments);
              return name.equals("swiglu") ? map(result, (row, column, v) -> Float.NaN) : result;
            }),
        fault(
            "an exception",
            "concat",
            (name, arguments, original) -> {
              if (name.equals("concat")) {
                throw new QnextException("there is no kernel for concat");
              }
              return original.call(arguments);
            }),
        fault(
            "a missing function",
            "experts",
            (name, arguments, original) -> {
              if (name.equals("experts")) {
                throw new UnsatisfiedLinkError("mlx_gather_qmm");
              }
              return original.call(arguments);
            }),
        fault(
            "a start that fails",
            "attention deltaNet sample state",
            (name, arguments, original) -> {
              if (name.equals("start")) {
                throw new IllegalStateException("no stream");
              }
              return original.call(arguments);
            }));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("faults")
  void everyFaultIsFound(String name, Set<String> expected, Alteration alteration) {
    Report report = run(AlteredBackend.of(alteration));
    assertThat(report.passed()).isFalse();
    assertThat(failing(report)).isEqualTo(expected);
  }

  /** One wrong number of each operation. */
  static Stream<Arguments> wrongNumbers() {
    return faults().filter(fault -> !((String) fault.get()[0]).contains(" "));
  }

  /** They are found when activations are halves too, whose limits are wider. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("wrongNumbers")
  void everyFaultIsFoundAmongHalves(String name, Set<String> expected, Alteration alteration) {
    Report report = run(half(alteration));
    assertThat(failing(report)).isEqualTo(expected);
  }

  /** A backend that rounds what every operation gives to bf16, and says so. */
  private static Backend half(Alteration alteration) {
    return AlteredBackend.of((name, arguments, original) ->
        name.equals("activationType")
            ? DType.BF16
            : AlteredBackend.rounded(alteration.answer(name, arguments, original)));
  }

  @Test
  void halvesPassWithTheirOwnLimit() {
    Report report = run(half((name, arguments, original) -> original.call(arguments)));
    Map<String, Double> worst = new TreeMap<>();
    report.results().forEach(r -> worst.merge(r.operation(), r.error(), Math::max));
    System.out.printf(Locale.ROOT, "errors of bf16 results: %s%n", worst);
    assertThat(report.failures()).isEmpty();
    assertThat(report.activationType()).isEqualTo(DType.BF16);
    assertThat(worst.get("linear")).isBetween(1e-4, 1e-2);
  }

  @Test
  void smallErrorsPassForHalvesAndFailForFloats() {
    Alteration alteration =
        (name, arguments, original) -> {
          Object result = original.call(arguments);
          return name.equals("linear")
              ? map(result, (row, column, v) -> v * (column % 2 == 0 ? 1.001f : 0.999f))
              : result;
        };
    Report floats = run(AlteredBackend.of(alteration));
    assertThat(failing(floats)).isEqualTo(Set.of("linear"));
    assertThat(floats.failures().getFirst().error()).isBetween(0.9e-3, 1.1e-3);
    assertThat(run(half(alteration)).failures()).isEmpty();
  }

  @Test
  void resultsAreSentences() {
    assertThat(new Result("linear", "4 bit, 16 rows", 0.3512, 0.02, null))
        .hasToString("linear (4 bit, 16 rows): error 0.35, limit 0.020");
    assertThat(new Result("concat", "5 rows", Double.NaN, 0, "there is no kernel"))
        .hasToString("concat (5 rows): there is no kernel");
    assertThat(new Result("concat", "5 rows", Double.NaN, 0, null).passed()).isFalse();
  }

  /** Everything that a case opens is closed, whether it fails or not. */
  @Test
  void weightsAreFreed() {
    int[] open = {0};
    Backend backend =
        AlteredBackend.of((name, arguments, original) -> {
          Object result = original.call(arguments);
          if (name.equals("linear")) {
            throw new IllegalStateException("made up");
          }
          if (!(result instanceof Weights weights)) {
            return result;
          }
          open[0]++;
          return new Weights() {
            @Override
            public dev.qnext.backend.Weight get(String path) {
              return weights.get(path);
            }

            @Override
            public void close() {
              open[0]--;
              weights.close();
            }
          };
        });
    run(backend);
    assertThat(open[0]).isZero();
  }

  /** Numbers of a given magnitude, or errors would be relative to nothing. */
  @Test
  void weightsAreOfAReasonableSize() throws IOException {
    Path folder = Files.createTempDirectory("qnext-weights");
    RandomWeights weights = Cases.all().weights();
    weights.write(folder);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      for (var format : ProjectionCases.formats()) {
        String path =
            "projection." + format.toString().replace(", groups of ", "-").replace(' ', '-');
        var decoder =
            new dev.qnext.checkpoint.RowDecoder(checkpoint.find(WeightSpec.matrix(path, 64, 512)));
        double squares = 0;
        float[] row = new float[512];
        for (int r = 0; r < 64; r++) {
          decoder.decode(0, r, row);
          for (float v : row) {
            squares += v * v;
          }
        }
        assertThat(Math.sqrt(squares / (64 * 512))).describedAs("%s", format).isBetween(0.02, 0.1);
      }
      assertThat(checkpoint.bytes()).isLessThan(20_000_000);
    } finally {
      Files.delete(folder.resolve("config.json"));
      Files.delete(folder.resolve("model.safetensors"));
      Files.delete(folder);
    }
  }
}
