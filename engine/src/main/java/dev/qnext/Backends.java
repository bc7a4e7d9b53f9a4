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
    return name == null || name.equals(AUTOMATIC) ? best(warnings) : named(name, warnings);
  }

  private Backend best(Consumer<String> warnings) {
    List<String> failures = new ArrayList<>();
    for (BackendProvider provider : providers) {
      if (provider.rank() < 0) {
        continue;
      }
      String failure;
      try {
        Backend backend = provider.open();
        failure = fault(backend, warnings);
        if (failure == null) {
          if (!failures.isEmpty()) {
            warnings.accept(
                "%s; so %s computes, and 'qnext doctor' tells more"
                    .formatted(String.join("; ", failures), backend.name()));
          }
          return backend;
        }
        backend.close();
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
        Backend backend = provider.open();
        String fault = fault(backend, warnings);
        if (fault != null) {
          warnings.accept(
              "the backend %s %s; its answers may be wrong, and 'qnext doctor' tells more"
                  .formatted(name, fault));
        }
        return backend;
      }
    }
    throw new QnextException(
        "there is no backend \"%s\"; valid backends are: %s, %s"
            .formatted(name, AUTOMATIC, String.join(", ", names())));
  }

  /** What the self-test finds first, as the end of a sentence; null if nothing. */
  private @Nullable String fault(Backend backend, Consumer<String> warnings) {
    if (backend instanceof ReferenceBackend) {
      return null;
    }
    if (passed.contains(backend)) {
      return null;
    }
    SelfTest.Report report;
    try {
      report = SelfTest.run(backend, (done, all) -> {});
    } catch (QnextException e) {
      warnings.accept(
          "the backend %s is used without its self-test: %s"
              .formatted(backend.name(), e.getMessage()));
      return null;
    }
    if (report.passed()) {
      passed.add(backend);
      return null;
    }
    int more = report.failures().size() - 1;
    return "fails its self-test at %s%s"
        .formatted(
            report.failures().getFirst(),
            more == 0 ? "" : ", and in %d more cases".formatted(more));
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
      // What is not needed here may be missing.
      checks.add(
          automatic
              ? Check.fail("opens", "no: " + sentence(e), null)
              : Check.info("opens", "no: " + sentence(e)));
    }
    return new BackendReport(provider.name(), automatic, checks, report);
  }
}
