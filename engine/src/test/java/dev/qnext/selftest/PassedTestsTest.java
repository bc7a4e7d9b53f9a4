package dev.qnext.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Backend;
import dev.qnext.backend.reference.AlteredBackend;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.fixtures.PlainJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PassedTestsTest {
  @TempDir Path temp;

  private static Backend named(String name, String fingerprint) {
    return AlteredBackend.of((call, arguments, original) ->
        switch (call) {
          case "name" -> name;
          case "fingerprint" -> fingerprint;
          default -> original.call(arguments);
        });
  }

  private PassedTests tests(String build) {
    return new PassedTests(temp.resolve("cache"), type -> build);
  }

  @Test
  void remembersWhatThePassDependsOn() {
    Backend m3 = named("mlx", "M3, MLX 0.32.2");
    assertThat(tests("build 1").contains(m3)).isFalse();
    tests("build 1").add(m3);
    tests("build 1").add(m3);
    assertThat(tests("build 1").contains(m3)).isTrue();
    assertThat(tests("build 1").contains(named("mlx", "M3, MLX 0.32.3"))).isFalse();
    assertThat(tests("build 1").contains(named("cpu", "M3, MLX 0.32.2"))).isFalse();
    assertThat(tests("build 2").contains(m3)).isFalse();
    assertThat(temp.resolve("cache").toFile().list()).containsExactly("self-tests.json");
  }

  @Test
  void anotherSystemIsTestedAnew() {
    Backend backend = named("mlx", "M3");
    tests("build").add(backend);
    String version = System.setProperty("os.version", "99.1");
    try {
      assertThat(tests("build").contains(backend)).isFalse();
    } finally {
      System.setProperty("os.version", version);
    }
    assertThat(tests("build").contains(backend)).isTrue();
  }

  @Test
  void olderOnesGo() throws IOException {
    for (int i = 0; i < 20; i++) {
      tests("build").add(named("mlx", "M" + i));
    }
    assertThat(tests("build").contains(named("mlx", "M3"))).isFalse();
    assertThat(tests("build").contains(named("mlx", "M4"))).isTrue();
    Map<?, ?> file =
        (Map<?, ?>) PlainJson.parse(Files.readString(temp.resolve("cache/self-tests.json")));
    assertThat((List<?>) file.get("passed")).hasSize(16);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "[1]", "{\"passed\": 3}", "{\"passed\": [1, null]}", "\u0000"})
  void aDamagedFileIsAsIfItWereNotThere(String text) throws IOException {
    Path file = Files.createDirectories(temp.resolve("cache")).resolve("self-tests.json");
    Files.writeString(file, text);
    Backend backend = named("mlx", "M3");
    assertThat(tests("build").contains(backend)).isFalse();
    tests("build").add(backend);
    assertThat(tests("build").contains(backend)).isTrue();
  }

  @Test
  void whatCannotBeRememberedIsNoError() throws IOException {
    Backend backend = named("mlx", "M3");
    new PassedTests(null, type -> "build").add(backend);
    assertThat(new PassedTests(null, type -> "build").contains(backend)).isFalse();
    Path file = Files.writeString(temp.resolve("file"), "x");
    new PassedTests(file, type -> "build").add(backend);
    assertThat(new PassedTests(file, type -> "build").contains(backend)).isFalse();
    tests(null).add(backend);
    assertThat(tests(null).contains(backend)).isFalse();
    assertThat(temp.resolve("cache")).doesNotExist();
  }

  @Test
  void aPassCountsAtOnceWhateverCanBeRemembered() {
    PassedTests tests = new PassedTests(null, type -> null);
    tests.add(named("mlx", "M3"));
    assertThat(tests.contains(named("mlx", "M3"))).isTrue();
    assertThat(tests.contains(named("mlx", "M4"))).isFalse();
  }

  /** Classes in folders change while the folder stays the same. */
  @Test
  void onlyJarsAreBuilds() {
    assertThat(PassedTests.jar(Test.class)).matches(".*junit-jupiter-api.*\\.jar [0-9]+ 20.*");
    assertThat(PassedTests.jar(String.class)).isNull();
    if (!System.getProperty("java.class.path").contains("engine-0.1.0.jar")) {
      assertThat(PassedTests.jar(ReferenceBackend.class)).isNull();
    }
  }
}
