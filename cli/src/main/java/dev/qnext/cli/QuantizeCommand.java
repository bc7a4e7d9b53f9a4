package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.model.LanguageModel;
import dev.qnext.quantize.Conversion;
import dev.qnext.quantize.ConversionFiles;
import dev.qnext.quantize.Recipe;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes a smaller checkpoint of a model. */
@Command(
    name = "quantize",
    description = "Converts a model into the MLX format, quantized by a recipe.",
    mixinStandardHelpOptions = true)
final class QuantizeCommand implements Callable<Integer> {
  @Parameters(index = "0", paramLabel = "MODEL", description = "The model folder to convert.")
  private Path source = Path.of("");

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "FOLDER",
      description = "The new folder. Default: beside the model, under its name and the recipe's.")
  private @Nullable Path target;

  @Option(
      names = {"-r", "--recipe"},
      required = true,
      paramLabel = "NAME",
      description =
          "qx53n, qx64n, qx86n-hi and the like, 2bit to 8bit, mxfp4, mxfp8, nvfp4, or bf16.")
  private String recipe = "";

  @Option(names = "--dry-run", description = "Print what would be made, and make nothing.")
  private boolean dryRun;

  @Option(
      names = "--requantize",
      description = "Convert a model that is quantized already; it loses a second time.")
  private boolean requantize;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that round. Default: all processors.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Override
  public Integer call() {
    Recipe chosen = Recipe.of(recipe);
    if (threads < 1) {
      throw new UsageException("--threads is %d but must be at least 1".formatted(threads), null);
    }
    Path to =
        target != null
            ? target
            : source.resolveSibling(source.toAbsolutePath().getFileName() + "-" + chosen.name());
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      LanguageModel.requireSupported(checkpoint);
      Conversion plan =
          Conversion.plan(checkpoint, LanguageModel.layout(checkpoint.config()), chosen);
      if (plan.requantizes() && !requantize) {
        throw new QnextException(
            "%s is quantized already and would lose a second time; convert the original, or give --requantize"
                .formatted(source));
      }
      if (dryRun) {
        print(plan);
        return 0;
      }
      QuantizeProgress progress = new QuantizeProgress(checkpoint.bytes());
      ConversionFiles.convert(plan, to, threads, progress::done);
      progress.end();
      System.err.printf(
          Locale.ROOT,
          "qnext: %s, %s, %.2f bits per weight%n",
          to,
          size(plan.bytes() + plan.mtpBytes()),
          8.0 * plan.bytes() / plan.parameters());
      return 0;
    }
  }

  /** What the modules of each kind become. */
  private static void print(Conversion plan) {
    Map<String, long[]> kinds = new TreeMap<>();
    for (Conversion.Part part : plan.parts()) {
      String path = part.spec().path().replaceAll("\\.[0-9]+\\.", ".*.");
      long[] sums = kinds.computeIfAbsent(path + "\t" + part.to(), kind -> new long[2]);
      sums[0]++;
      sums[1] += part.bytes();
    }
    Output out = Output.standard();
    kinds.forEach((kind, sums) -> {
      String[] words = kind.split("\t");
      out.println("%-48s %4d x  %-24s %10s".formatted(words[0], sums[0], words[1], size(sums[1])));
    });
    if (plan.mtpBytes() > 0) {
      out.println(
          "%-48s %4s    %-24s %10s".formatted("mtp.*", "", "as it is", size(plan.mtpBytes())));
    }
    out.println(
        "%,d bytes, %.3f bits per weight, without the MTP module"
            .formatted(plan.bytes(), 8.0 * plan.bytes() / plan.parameters()));
    out.flush();
  }

  private static String size(long bytes) {
    return bytes < 100_000_000
        ? String.format(Locale.ROOT, "%.2f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }
}
