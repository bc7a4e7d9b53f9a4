package dev.qnext;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.type;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which room of the house may look into which: the map in docs/architecture.md. */
class ArchitectureTest {
  private static final JavaClasses ENGINE =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("dev.qnext")
          .that(not(resideInAPackage("dev.qnext.fixtures..")));

  /** A room's classes use nothing of this project but the rooms named. */
  private static void assertUsesOnly(String room, String... others) {
    List<String> allowed = new ArrayList<>(List.of(others));
    allowed.add(room);
    ArchRule rule =
        noClasses()
            .that()
            .resideInAPackage(room)
            .should()
            .dependOnClassesThat(
                resideInAPackage("dev.qnext..")
                    .and(not(resideInAnyPackage(allowed.toArray(new String[0])))))
            .allowEmptyShould(true);
    rule.check(ENGINE);
  }

  @Test
  void theClassesAreRead() {
    assertThat(ENGINE.contain(dev.qnext.model.LanguageModel.class)).isTrue();
    assertThat(ENGINE.get(dev.qnext.model.LanguageModel.class).getDirectDependenciesFromSelf())
        .anyMatch(d -> d.getTargetClass().getName().equals("dev.qnext.backend.Backend"));
    assertThat(ENGINE.contain(ArchitectureTest.class)).isFalse();
  }

  /** The root holds the engine, which uses all rooms; they know of it but how failures are told. */
  @Test
  void roomsKnowOnlyTheRootsException() {
    noClasses()
        .that()
        .resideInAPackage("dev.qnext.*..")
        .should()
        .dependOnClassesThat(
            resideInAPackage("dev.qnext").and(not(type(dev.qnext.QnextException.class))))
        .check(ENGINE);
  }

  @Test
  void jsonKnowsTheRoot() {
    assertUsesOnly("dev.qnext.json..", "dev.qnext");
  }

  @Test
  void checkpointReadsJson() {
    assertUsesOnly("dev.qnext.checkpoint..", "dev.qnext", "dev.qnext.json..");
  }

  @Test
  void textReadsJsonAndUsesTheCacheFolder() {
    assertUsesOnly("dev.qnext.text..", "dev.qnext", "dev.qnext.json..", "dev.qnext.machine..");
  }

  @Test
  void theSeamKnowsCheckpointsAndNoModel() {
    assertUsesOnly("dev.qnext.backend", "dev.qnext", "dev.qnext.checkpoint..");
    assertUsesOnly(
        "dev.qnext.backend.reference..",
        "dev.qnext",
        "dev.qnext.backend",
        "dev.qnext.checkpoint..");
  }

  @Test
  void theSelfTestComparesWithTheReference() {
    assertUsesOnly(
        "dev.qnext.selftest..",
        "dev.qnext",
        "dev.qnext.backend",
        "dev.qnext.backend.reference..",
        "dev.qnext.checkpoint..",
        "dev.qnext.json..");
  }

  @Test
  void theMachineIsAskedWithoutAnEngine() {
    assertUsesOnly("dev.qnext.machine..");
  }

  @Test
  void modelsKnowNoBackendButTheSeam() {
    assertUsesOnly("dev.qnext.model..", "dev.qnext", "dev.qnext.backend", "dev.qnext.checkpoint..");
  }

  @Test
  void quantizingKnowsNoModelAndNoBackend() {
    assertUsesOnly(
        "dev.qnext.quantize..", "dev.qnext", "dev.qnext.checkpoint..", "dev.qnext.json..");
  }

  @Test
  void benchesKnowNoBackendButTheSeam() {
    assertUsesOnly(
        "dev.qnext.bench..",
        "dev.qnext",
        "dev.qnext.backend",
        "dev.qnext.checkpoint..",
        "dev.qnext.model..",
        "dev.qnext.quantize..");
  }

  @Test
  void generationIsAboutTokenIds() {
    noClasses()
        .that()
        .resideInAPackage("dev.qnext.generate..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.qnext.text..", "dev.qnext.backend.reference..")
        .allowEmptyShould(true)
        .check(ENGINE);
  }

  @Test
  void theEngineKnowsNoTerminal() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("picocli..", "org.jline..", "dev.qnext.cli..")
        .check(ENGINE);
  }

  @Test
  void noRoomsInCircles() {
    slices().matching("dev.qnext.(*)..").should().beFreeOfCycles().check(ENGINE);
  }
}
