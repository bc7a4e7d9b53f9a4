package dev.qnext;

import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Check;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.machine.CacheFolder;
import dev.qnext.selftest.PassedTests;
import dev.qnext.selftest.SelfTest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The backends that were found, and the choice among them. Used on the engine's thread only.
 *
 * <p>A backend must prove itself on the machine it runs on: before it is used for the first time it
 * passes {@link SelfTest}. Where the user has named none, one that does not open or does not pass
 * is passed over for the next, with a warning. One that was named is used all the same, with a
 * warning: whoever names it may be looking for the fault.
 */
final class Backends {
  /** The name that stands for the choice. */
  static final String AUTOMATIC = "auto";

  private static final PassedTests PASSED = new PassedTests(CacheFolder.path());

  private final List<BackendProvider> providers;
  private final PassedTests passed;

  Backends(List<BackendProvider> providers, PassedTests passed) {
    this.providers =
        providers.stream()
            .sorted(Comparator.comparingInt(BackendProvider::rank).reversed())
            .toList();
    this.passed = passed;
  }

  /** Those on the class path. */
  static Backends installed() {
    List<BackendProvider> providers = new ArrayList<>();
    ServiceLoader.load(BackendProvider.class, Engine.class.getClassLoader())
        .forEach(providers::add);
    return new Backends(providers, PASSED);
  }

  /** The best first. */
  List<String> names() {
    return providers.stream().map(BackendProvider::name).toList();
  }

  /**
   * Opens a backend.
   *
   * @param name null or "auto" takes the best that works here
   * @param warnings gets what the user should know, in a sentence
   */
  Backend open(@Nullable String name, Consumer<String> warnings) {
    Backend backend =
        name == null || name.equals(AUTOMATIC) ? best(warnings) : named(name, warnings);
    backend.warnTo(warnings);
    return backend;
  }

  private Backend best(Consumer<String> warnings) {
    List<String> failures = new ArrayList<>();
    for (BackendProvider provider : providers) {
      if (provider.rank() < 0) {
        continue;
      }
      String failure;
      try {
        Backend backend = proven(provider, warnings);
        if (!failures.isEmpty()) {
          warnings.accept(
              "%s; so %s computes, and 'qnext doctor' tells more"
                  .formatted(String.join("; ", failures), backend.name()));
        }
        return backend;
      } catch (FailedTestException e) {
        failure = e.getMessage();
      } catch (RuntimeException | LinkageError e) {
        failure = "cannot be used: " + sentence(e);
      }
      failures.add("the backend %s %s".formatted(provider.name(), failure));
    }
    throw new QnextException(
        failures.isEmpty()
            ? "no backend was found; the installation is broken"
            : String.join("; ", failures) + "; 'qnext doctor' tells more");
  }

  private Backend named(String name, Consumer<String> warnings) {
    for (BackendProvider provider : providers) {
      if (name.equals(provider.name())) {
        try {
          return proven(provider, warnings);
        } catch (FailedTestException e) {
          warnings.accept(
              "the backend %s %s; its answers may be wrong, and 'qnext doctor' tells more"
                  .formatted(name, e.getMessage()));
          return provider.open();
        }
      }
    }
    throw new QnextException(
        "there is no backend \"%s\"; valid backends are: %s, %s"
            .formatted(name, AUTOMATIC, String.join(", ", names())));
  }

  /** What the self-test found, as the end of a sentence. */
  private static final class FailedTestException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    FailedTestException(SelfTest.Report report) {
      super(
          "fails its self-test at %s%s"
              .formatted(
                  report.failures().getFirst(),
                  report.failures().size() == 1
                      ? ""
                      : ", and in %d more cases".formatted(report.failures().size() - 1)));
    }

    @Override
    public String getMessage() {
      return String.valueOf(super.getMessage());
    }
  }

  /** Opens a backend that has passed its test, now or before. */
  private Backend proven(BackendProvider provider, Consumer<String> warnings) {
    Backend backend = provider.open();
    if (backend instanceof ReferenceBackend || passed.contains(backend)) {
      return backend;
    }
    // The test has a backend of its own: one remembers what it was used for, such as what is wired.
    try (backend) {
      SelfTest.Report report = SelfTest.run(backend, (done, all) -> {});
      if (!report.passed()) {
        throw new FailedTestException(report);
      }
      passed.add(backend);
    } catch (QnextException e) {
      warnings.accept(
          "the backend %s is used without its self-test: %s"
              .formatted(provider.name(), e.getMessage()));
    }
    return provider.open();
  }

  private static String sentence(Throwable e) {
    return e instanceof QnextException ? String.valueOf(e.getMessage()) : e.toString();
  }

  /** Looks at every backend, each reported when its test is done. */
  void examine(Engine.TestProgress progress, Consumer<BackendReport> reports) {
    for (BackendProvider provider : providers) {
      reports.accept(examine(provider, progress));
    }
  }

  private BackendReport examine(BackendProvider provider, Engine.TestProgress progress) {
    boolean automatic = provider.rank() >= 0;
    List<Check> checks = new ArrayList<>(provider.checks());
    SelfTest.Report report = null;
    try (Backend backend = provider.open()) {
      if (!(backend instanceof ReferenceBackend)) {
        report = SelfTest.run(backend, (done, all) -> progress.testing(provider.name(), done, all));
        if (report.passed()) {
          passed.add(backend);
        }
      }
    } catch (RuntimeException | LinkageError e) {
      // What is not needed here may be missing, and the provider may have said all there is to say.
      boolean said =
          checks.stream()
              .anyMatch(check -> check.fix() != null && check.status() != Check.Status.WARN);
      if (!said) {
        checks.add(
            automatic
                ? Check.fail("opens", "no: " + sentence(e), null)
                : Check.info("opens", "no: " + sentence(e)));
      }
    }
    return new BackendReport(provider.name(), automatic, checks, report);
  }
}
