package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.GoldenPrompts.folder;
import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.Engine;
import dev.qnext.backend.Check;
import dev.qnext.backend.Check.Status;
import dev.qnext.checkpoint.DType;
import dev.qnext.json.Json;
import dev.qnext.machine.Machine;
import dev.qnext.machine.Machine.Pressure;
import dev.qnext.selftest.SelfTest.Report;
import dev.qnext.selftest.SelfTest.Result;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorCommandTest {
  @TempDir private Path temp;

  @Test
  void textForAReader() {
    Outcome outcome = run("doctor", "--model", folder("tiny/hf")).quiet();
    assertThat(outcome.out())
        .startsWith("Java\n  ok    version       ")
        .contains("\nMachine\n", "\nLauncher\n", "\nBackend reference\n")
        .containsPattern("(?m)^ {8}disk +\\d+\\.\\d\\d GB/s \\(")
        .endsWith(".\n")
        .doesNotContain("\u001b");
  }

  @Test
  void oneObjectForMachines() {
    Map<?, ?> object = (Map<?, ?>) Json.parse(run("doctor", "--json").quiet().out(), "the report");
    assertThat(object.get("passed")).isEqualTo(true);
    assertThat(object.get("chosen")).isEqualTo(Engine.backends().getFirst());
    List<?> backends = (List<?>) object.get("backends");
    assertThat(backends.stream().map(backend -> ((Map<?, ?>) backend).get("name")).toList())
        .isEqualTo(Engine.backends());
    Map<?, ?> version = (Map<?, ?>) ((List<?>) object.get("java")).getFirst();
    assertThat(version.get("status")).isEqualTo("pass");
    assertThat((String) version.get("detail")).startsWith(Runtime.version().toString());
    assertThat(version.containsKey("fix")).isTrue();
  }

  @Test
  void aModelThatIsNotThere() {
    run("doctor", "-m", temp.resolve("none").toString())
        .failed(1, "there is no model folder " + temp.resolve("none"));
    assertThat(run("doctor", "-m", temp.toString()).err())
        .isEqualTo("qnext: no *.safetensors in %s\n".formatted(temp));
  }

  private static Machine mac(boolean translated, Pressure pressure) {
    return new Machine(
        "macOS 26.2 (25C56)",
        "Apple M3 Max",
        14,
        10,
        List.of("DotProd"),
        38_654_705_664L,
        20_000_000_000L,
        1_073_741_824L,
        pressure,
        true,
        translated,
        List.of());
  }

  @Test
  void aMac() {
    assertThat(SystemChecks.machine(mac(false, Pressure.WARNING)))
        .containsExactly(
            Check.info("system", "macOS 26.2 (25C56)"),
            Check.info("processor", "Apple M3 Max, 14 cores, 10 of them fast"),
            Check.info("features", "DotProd"),
            Check.info("memory", "38.7 GB, 20.0 GB available"),
            Check.warn(
                "pressure", "memory is short", "close other programs, or take a smaller model"),
            Check.info("swap", "1.1 GB used"));
  }

  @Test
  void javaThatWillNotDo() {
    Machine native_ = mac(false, Pressure.NORMAL);
    assertThat(SystemChecks.java(native_, 25, "aarch64"))
        .noneMatch(check -> check.status() == Status.FAIL);
    assertThat(SystemChecks.java(native_, 24, "aarch64").getFirst().fix())
        .isEqualTo("install a JDK 25 or newer");
    for (Machine machine : List.of(native_, mac(true, Pressure.NORMAL))) {
      assertThat(SystemChecks.java(machine, 25, "x86_64"))
          .contains(
              Check.fail(
                  "architecture",
                  "x86_64 under Rosetta: MLX cannot be loaded, and all is slow",
                  "brew install openjdk@25"));
    }
  }

  /** What is printed in so many columns. */
  private static String printed(int columns, Consumer<CheckPrinter> print) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Output.redirect(bytes);
    try {
      print.accept(new CheckPrinter(Output.standard(), Colors.standard(), columns));
      Output.standard().flush();
    } finally {
      Output.redirect(new FileOutputStream(FileDescriptor.out));
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void linesFitTheTerminal() {
    List<Check> checks =
        List.of(
            Check.info("system", "one two three four five six seven eight nine ten eleven twelve"),
            Check.fail("a name of some length", "it is broken", "a command that is never broken"));
    assertThat(printed(80, printer -> printer.print(checks)))
        .isEqualTo(
            """
                    system        one two three four five six seven eight nine ten eleven
                                  twelve
              FAIL  a name of some length
                                  it is broken
                                  fix: a command that is never broken
            """);
    assertThat(printed(40, printer -> printer.print(checks)))
        .isEqualTo(
            """
                    system
                      one two three four five six
                      seven eight nine ten eleven
                      twelve
              FAIL  a name of some length
                      it is broken
                      fix: a command that is never broken
            """);
  }

  @Test
  void wordsThatAreTooLongStayWhole() {
    assertThat(CheckPrinter.wrap("in /a/very/long/path here", 8))
        .containsExactly("in", "/a/very/long/path", "here");
    assertThat(CheckPrinter.wrap("", 8)).containsExactly("");
  }

  private static Result result(String operation, String sizes, double error, String failure) {
    return new Result(operation, sizes, error, 0.04, failure);
  }

  @Test
  void failuresOfATest() {
    List<Result> results =
        new ArrayList<>(
            List.of(
                result("embed", "bf16", 0, null),
                result("linear", "4 bit, groups of 32, 1 row", 0.001, null),
                result("linear", "4 bit, groups of 64, 1 row", 0.002, null),
                result("linear", "4 bit, groups of 64, 16 rows", 1.4, null),
                result("linear", "bf16, 1 row", 0.003, null),
                result("linear", "bf16, 16 rows", 0.003, null),
                result("linear", "bf16, 8 rows, rows of the weight reordered", 0.003, null),
                result("experts", "mxfp4, 1 token", Double.NaN, "there is no kernel for it")));
    Report report = new Report(DType.BF16, results, 1.26);
    assertThat(
            printed(
                80,
                p -> new SelfTestPrinter(Output.standard(), Colors.standard(), p).print(report)))
        .isEqualTo(
            """
              FAIL  self-test     2 of 8 cases in 1.3 s, worst errors; activations are bf16
                    linear          1 row    16 rows
                      4 bit         2e-03    1e+00
                      bf16          3e-03    3e-03
                    embed           0        1 case
                    linear, other   3e-03    1 case
                    experts         failed   1 case
              FAIL  linear        linear (4 bit, groups of 64, 16 rows): error 1.4, limit
                                  0.040
              FAIL  experts       experts (mxfp4, 1 token): there is no kernel for it
            """);
    assertThat(
            printed(
                40,
                p -> new SelfTestPrinter(Output.standard(), Colors.standard(), p).print(report)))
        .contains("        linear\n          4 bit         1e+00\n          bf16          3e-03\n")
        .contains("        experts         failed\n");
    for (int i = 0; i < 10; i++) {
      results.add(result("rows", "case " + i, 1, null));
    }
    Report many = new Report(DType.BF16, results, 1);
    assertThat(
            printed(
                80, p -> new SelfTestPrinter(Output.standard(), Colors.standard(), p).print(many)))
        .contains("        and 4 more; --json lists all\n");
  }
}
