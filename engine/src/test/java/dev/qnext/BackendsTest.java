package dev.qnext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Check;
import dev.qnext.backend.reference.AlteredBackend;
import dev.qnext.backend.reference.AlteredBackend.Alteration;
import dev.qnext.backend.reference.ReferenceProvider;
import dev.qnext.selftest.PassedTests;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** The choice of a backend: rank, failing to open, failing the self-test, being asked for. */
class BackendsTest {
  private final List<String> warnings = new ArrayList<>();
  private final List<String> opened = new ArrayList<>();
  private final List<String> closed = new ArrayList<>();

  private static final Alteration SOUND = (call, arguments, original) -> original.call(arguments);

  /** Wrong from the ninth row on. */
  private static final Alteration WRONG =
      (call, arguments, original) -> {
        Object result = original.call(arguments);
        return call.equals("linear")
            ? AlteredBackend.map(result, (row, column, v) -> row < 8 ? v : -v)
            : result;
      };

  private BackendProvider provider(String name, int rank, Alteration alteration) {
    return provider(
        name,
        rank,
        () ->
            AlteredBackend.of((call, arguments, original) -> {
              if (call.equals("close")) {
                closed.add(name);
              }
              return call.equals("name") ? name : alteration.answer(call, arguments, original);
            }));
  }

  private BackendProvider provider(String name, int rank, Supplier<Backend> open) {
    return new BackendProvider() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public int rank() {
        return rank;
      }

      @Override
      public Backend open() {
        opened.add(name);
        return open.get();
      }

      @Override
      public List<Check> checks() {
        return List.of(Check.info("device", "made up"));
      }
    };
  }

  private static Backends of(BackendProvider... providers) {
    List<BackendProvider> all = new ArrayList<>(List.of(providers));
    all.add(new ReferenceProvider());
    return new Backends(all, new PassedTests(null));
  }

  @Test
  void theHighestRankThatWorks() {
    Backends backends = of(provider("slow", 1, SOUND), provider("fast", 100, SOUND));
    assertThat(backends.names()).containsExactly("fast", "slow", "reference");
    for (String name : new String[] {null, "auto"}) {
      assertThat(backends.open(name, warnings::add).name()).isEqualTo("fast");
    }
    assertThat(backends.open("slow", warnings::add).name()).isEqualTo("slow");
    assertThat(warnings).isEmpty();
    // Each once more for its test, which is not repeated.
    assertThat(opened).containsExactly("fast", "fast", "fast", "slow", "slow");
    assertThat(closed).containsExactly("fast", "slow");
  }

  @Test
  void oneThatIsWrongIsPassedOverWithOneWarning() {
    Backends backends = of(provider("gpu", 100, WRONG));
    assertThat(backends.open(null, warnings::add).name()).isEqualTo("reference");
    assertThat(warnings)
        .singleElement()
        .asString()
        .matches(
            "the backend gpu fails its self-test at linear \\(f32, 16 rows\\): error 2\\.\\d, limit 2\\.0e-05,"
                + " and in \\d+ more cases; so reference computes, and 'qnext doctor' tells more");
    assertThat(closed).containsExactly("gpu");
  }

  @Test
  void oneThatDoesNotOpenIsPassedOverWithOneWarning() {
    Backends backends =
        of(
            provider(
                "gpu",
                100,
                () -> {
                  throw new QnextException("mlx.metallib is missing in /opt/mlx");
                }),
            provider("cpu", 50, SOUND));
    assertThat(backends.open(null, warnings::add).name()).isEqualTo("cpu");
    assertThat(warnings)
        .containsExactly(
            "the backend gpu cannot be used: mlx.metallib is missing in /opt/mlx;"
                + " so cpu computes, and 'qnext doctor' tells more");
  }

  @Test
  void severalFailuresAreOneWarning() {
    Backends backends =
        of(
            provider(
                "gpu",
                100,
                () -> {
                  throw new UnsatisfiedLinkError("mlx_array_new");
                }),
            provider("cpu", 50, WRONG));
    assertThat(backends.open(null, warnings::add).name()).isEqualTo("reference");
    assertThat(warnings)
        .singleElement()
        .asString()
        .startsWith(
            "the backend gpu cannot be used: java.lang.UnsatisfiedLinkError: mlx_array_new;"
                + " the backend cpu fails its self-test at linear")
        .endsWith("so reference computes, and 'qnext doctor' tells more");
  }

  @Test
  void aNegativeRankIsNeverChosenButCanBeNamed() {
    Backends backends = of(provider("odd", -1, SOUND));
    assertThat(backends.open(null, warnings::add).name()).isEqualTo("reference");
    assertThat(opened).isEmpty();
    assertThat(backends.open("odd", warnings::add).name()).isEqualTo("odd");
    assertThat(warnings).isEmpty();
    assertThat(backends.names()).containsExactly("reference", "odd");
  }

  @Test
  void whoNamesAWrongOneGetsItWithAWarning() {
    Backends backends = of(provider("gpu", 100, WRONG));
    assertThat(backends.open("gpu", warnings::add).name()).isEqualTo("gpu");
    assertThat(warnings)
        .singleElement()
        .asString()
        .startsWith("the backend gpu fails its self-test at linear (f32, 16 rows): error 2")
        .endsWith("; its answers may be wrong, and 'qnext doctor' tells more");
    assertThat(opened).containsExactly("gpu", "gpu");
    assertThat(closed).containsExactly("gpu");
  }

  @Test
  void whoNamesOneThatDoesNotOpenGetsItsSentence() {
    Backends backends =
        of(
            provider(
                "gpu",
                100,
                () -> {
                  throw new QnextException("there is no GPU");
                }));
    assertThatThrownBy(() -> backends.open("gpu", warnings::add)).hasMessage("there is no GPU");
    assertThat(warnings).isEmpty();
  }

  @Test
  void noneIsLeft() {
    assertThatExceptionOfType(QnextException.class)
        .isThrownBy(() -> new Backends(List.of(), new PassedTests(null)).open(null, warnings::add))
        .withMessage("no backend was found; the installation is broken");
    Backends broken = new Backends(List.of(provider("gpu", 100, WRONG)), new PassedTests(null));
    assertThatExceptionOfType(QnextException.class)
        .isThrownBy(() -> broken.open("auto", warnings::add))
        .withMessageStartingWith("the backend gpu fails its self-test at linear")
        .withMessageEndingWith("; 'qnext doctor' tells more");
    assertThat(warnings).isEmpty();
  }

  @Test
  void reportsOfAll() {
    Backends backends =
        of(
            provider("gpu", 100, WRONG),
            provider("cpu", 50, SOUND),
            provider(
                "missing",
                10,
                () -> {
                  throw new QnextException("it is not installed");
                }),
            provider(
                "unneeded",
                -1,
                () -> {
                  throw new QnextException("it is not installed");
                }));
    List<BackendReport> reports = new ArrayList<>();
    List<String> tested = new ArrayList<>();
    backends.examine((name, done, all) -> tested.add(name), reports::add);
    assertThat(reports)
        .extracting(BackendReport::name)
        .containsExactly("gpu", "cpu", "missing", "reference", "unneeded");
    assertThat(reports)
        .extracting(BackendReport::passed)
        .containsExactly(false, true, false, true, true);
    assertThat(reports)
        .extracting(BackendReport::automatic)
        .containsExactly(true, true, true, true, false);
    assertThat(reports.get(1).checks()).containsExactly(Check.info("device", "made up"));
    assertThat(reports.get(1).selfTest().passed()).isTrue();
    assertThat(reports.get(2).checks())
        .containsExactly(
            Check.info("device", "made up"), Check.fail("opens", "no: it is not installed", null));
    assertThat(reports.get(3).selfTest()).isNull();
    assertThat(reports.get(4).checks()).contains(Check.info("opens", "no: it is not installed"));
    assertThat(tested).contains("gpu", "cpu").doesNotContain("missing", "reference");
    assertThat(closed).containsExactly("gpu", "cpu");
  }
}
