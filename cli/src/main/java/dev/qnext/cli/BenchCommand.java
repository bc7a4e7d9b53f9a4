package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.bench.Bench;
import dev.qnext.bench.BenchReport;
import dev.qnext.bench.SyntheticModel;
import dev.qnext.bench.SyntheticShape;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.json.Json;
import dev.qnext.machine.Machine;
import dev.qnext.model.Inventory;
import dev.qnext.quantize.Recipe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How fast a model runs here, beside what this machine could do at best. */
@Command(
    name = "bench",
    description = {
      "Measures how fast a model runs, beside the limits of this machine.",
      "Tokens are random. 'verify' is a pass of 2 to 4 tokens, as speculation makes them: its time"
          + " and its bytes over those of one token, by the experts that the router chose."
    },
    mixinStandardHelpOptions = true)
final class BenchCommand implements Callable<Integer> {
  private static final long SEED = 1;

  @Mixin private ModelOptions model = new ModelOptions();

  @Option(
      names = "--synthetic",
      paramLabel = "SHAPE",
      description = "Make up a model of this shape in memory: qwen3-next-80b.")
  private @Nullable String synthetic;

  @Option(names = "--experts", paramLabel = "N", description = "Experts of the made-up model.")
  private int experts;

  @Option(names = "--layers", paramLabel = "N", description = "Layers of the made-up model.")
  private int layers;

  @Option(
      names = "--recipe",
      paramLabel = "NAME",
      description = "Formats of the made-up model, such as qx53n, 4bit, mxfp4. Default: 4bit.")
  private @Nullable String recipe;

  @Option(
      names = "--depth",
      split = ",",
      paramLabel = "N",
      defaultValue = "0,4096,16384",
      description = "Decode behind contexts of so many tokens. Default: ${DEFAULT-VALUE}.")
  private List<Integer> depths = List.of();

  @Option(
      names = "--prompt",
      split = ",",
      paramLabel = "N",
      defaultValue = "128,512,2048",
      description = "Read prompts of so many tokens. Default: ${DEFAULT-VALUE}.")
  private List<Integer> prompts = List.of();

  @Option(
      names = "--tokens",
      paramLabel = "N",
      defaultValue = "32",
      description = "Tokens to decode in one run. Default: ${DEFAULT-VALUE}.")
  private int tokens;

  @Option(
      names = "--repeat",
      paramLabel = "N",
      defaultValue = "3",
      description = "Runs of each, of which the median counts. Default: ${DEFAULT-VALUE}.")
  private int repeat;

  @Option(names = "--json", description = "Print one JSON object instead of a table.")
  private boolean json;

  @Option(names = "--svg", paramLabel = "FILE", description = "Also draw the results.")
  private @Nullable Path svg;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli
  private CommandSpec spec;

  /** What was measured: a folder's model, or one made up. */
  private record Subject(String name, String recipe) {}

  /** Where and what was measured, for the report. */
  private record Run(String backend, Subject subject, BenchReport report) {}

  @Override
  public Integer call() {
    checkNumbers();
    ModelOptions.leaveInOrder();
    BenchProgress progress = new BenchProgress();
    Run run;
    try {
      run = synthetic == null ? ofFolder(model.path(), progress) : ofShape(synthetic, progress);
    } finally {
      progress.clear();
    }
    BenchResults results =
        new BenchResults(
            Machine.read(), run.backend, run.subject.name, run.subject.recipe, run.report);
    if (svg != null) {
      write(svg, BenchPlot.of(results));
    }
    Output out = Output.standard();
    if (json) {
      out.println(Json.write(results.json()));
    } else {
      new BenchTable(out, Colors.standard()).print(results);
    }
    out.flush();
    return 0;
  }

  private void checkNumbers() {
    if (synthetic == null && (experts != 0 || layers != 0 || recipe != null)) {
      throw new UsageException("--experts, --layers and --recipe need --synthetic", null);
    }
    if (synthetic != null && spec.commandLine().getParseResult().hasMatchedOption("--model")) {
      throw new UsageException("--model and --synthetic exclude each other", null);
    }
    for (int depth : depths) {
      require(depth >= 0, "--depth", depth);
    }
    for (int prompt : prompts) {
      require(prompt >= 1, "--prompt", prompt);
    }
    require(tokens >= 1, "--tokens", tokens);
    require(repeat >= 1, "--repeat", repeat);
  }

  private static void require(boolean fine, String option, int value) {
    if (!fine) {
      throw new UsageException("%s cannot be %d".formatted(option, value), null);
    }
  }

  private Bench.Plan plan() {
    return new Bench.Plan(depths, prompts, tokens, repeat, SEED);
  }

  private Run ofFolder(Path folder, BenchProgress progress) {
    Subject subject;
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      String formats = String.join(" + ", Inventory.of(checkpoint).bytesOfFormats().keySet());
      subject = new Subject(folder.toAbsolutePath().normalize().getFileName().toString(), formats);
    }
    return model.withBackend(backend ->
        new Run(
            backend.name(),
            subject,
            Bench.run(backend, () -> Checkpoint.open(folder), plan(), progress)));
  }

  private Run ofShape(String shape, BenchProgress progress) {
    Recipe chosen = Recipe.of(recipe == null ? "4bit" : recipe);
    SyntheticModel made = new SyntheticModel(SyntheticShape.of(shape, experts, layers), chosen);
    requireRoom(made.bytes());
    return model.withBackend(backend -> {
      progress.doing("making the model");
      Checkpoint checkpoint = made.make(backend.newArena(), SEED);
      BenchReport report = Bench.run(backend, () -> checkpoint, plan(), progress);
      return new Run(backend.name(), new Subject(shape, chosen.name()), report);
    });
  }

  private static void requireRoom(long bytes) {
    long available = Machine.read().available();
    if (available >= 0 && bytes > available) {
      throw new QnextException(
          "the made-up model takes %s, but this machine has only %s available; take fewer --experts or --layers"
              .formatted(SystemChecks.bytes(bytes), SystemChecks.bytes(available)));
    }
  }

  private static void write(Path file, String text) {
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      throw new QnextException("cannot write %s: %s".formatted(file, e), e);
    }
  }
}
