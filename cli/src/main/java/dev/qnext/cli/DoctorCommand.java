package dev.qnext.cli;

import dev.qnext.BackendReport;
import dev.qnext.Engine;
import dev.qnext.QnextException;
import dev.qnext.backend.Check;
import dev.qnext.json.Json;
import dev.qnext.machine.Machine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What was found on this machine, and whether it works. */
@Command(
    name = "doctor",
    description =
        "Tells what was found on this machine, tests every backend, and says how to mend what is wrong.",
    mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {
  @Option(
      names = {"-m", "--model"},
      paramLabel = "MODEL",
      description = "Also measure how fast this model's files are read.")
  private @Nullable String model;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli
  private CommandSpec spec;

  @Option(names = "--json", description = "Print one JSON object instead of text.")
  private boolean json;

  private final Output out = Output.standard();
  private final Colors colors = Colors.standard();
  private final CheckPrinter printer = new CheckPrinter(out, colors, Terminal.columns());
  private final Map<String, Object> object = new LinkedHashMap<>();
  private int failures;
  private @Nullable String chosen;

  @Override
  public Integer call() {
    Path folder = model();
    Machine machine = Machine.read();
    section(
        "Java",
        SystemChecks.java(machine, Runtime.version().feature(), System.getProperty("os.arch", "")));
    section("Machine", SystemChecks.machine(machine));
    if (folder != null) {
      section("Model", List.of(DiskSpeed.of(folder)));
    }
    section("Launcher", SystemChecks.launcher());
    List<Object> backends = new ArrayList<>();
    ModelOptions.leaveInOrder();
    Engine.examineBackends(DoctorCommand::showProgress, report -> backends.add(backend(report)));
    object.put("backends", backends);
    object.put("chosen", chosen);
    object.put("passed", failures == 0);
    if (json) {
      out.println(Json.write(object));
    } else {
      summary();
    }
    out.flush();
    return failures == 0 ? 0 : 1;
  }

  /** The one that was asked for now; one that is chosen for good is not measured each time. */
  private @Nullable Path model() {
    if (model == null || !spec.commandLine().getParseResult().hasMatchedOption("--model")) {
      return null;
    }
    Path folder = Models.ofThisMachine().find(model).folder();
    if (!Files.isDirectory(folder)) {
      throw new QnextException("there is no model folder %s".formatted(folder));
    }
    return folder;
  }

  private void section(String name, List<Check> checks) {
    count(checks);
    object.put(name.toLowerCase(Locale.ROOT), json(checks));
    if (!json) {
      printer.heading(name);
      printer.print(checks);
    }
  }

  private void count(List<Check> checks) {
    for (Check check : checks) {
      failures += check.status() == Check.Status.FAIL ? 1 : 0;
    }
  }

  private Map<String, Object> backend(BackendReport report) {
    clearProgress();
    if (chosen == null && report.automatic() && report.passed()) {
      chosen = report.name();
    }
    count(report.checks());
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("name", report.name());
    entry.put("automatic", report.automatic());
    entry.put("checks", json(report.checks()));
    var test = report.selfTest();
    if (test != null) {
      failures += test.passed() ? 0 : 1;
      entry.put("self_test", SelfTestPrinter.json(test));
    }
    if (!json) {
      printer.heading(
          "Backend %s%s"
              .formatted(report.name(), report.automatic() ? "" : " (only when asked for)"));
      printer.print(report.checks());
      if (test != null) {
        new SelfTestPrinter(out, colors, printer).print(test);
      }
      out.flush();
    }
    return entry;
  }

  private void summary() {
    String answers = chosen == null ? "No backend works." : "Backend: %s.".formatted(chosen);
    out.println(
        failures == 0
            ? colors.green("All is well.") + " " + answers
            : colors.red(
                    failures == 1 ? "1 check failed." : "%d checks failed.".formatted(failures))
                + " "
                + answers);
  }

  private static List<Map<String, @Nullable Object>> json(List<Check> checks) {
    List<Map<String, @Nullable Object>> list = new ArrayList<>();
    for (Check check : checks) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("name", check.name());
      line.put("status", check.status().name().toLowerCase(Locale.ROOT));
      line.put("detail", check.detail());
      line.put("fix", check.fix());
      list.add(line);
    }
    return list;
  }

  private static void showProgress(String backend, int done, int all) {
    if (Terminal.error()) {
      System.err.printf("\rtesting %s: %d of %d cases ", backend, done, all);
    }
  }

  private static void clearProgress() {
    if (Terminal.error()) {
      System.err.print("\r\u001b[K");
    }
  }
}
