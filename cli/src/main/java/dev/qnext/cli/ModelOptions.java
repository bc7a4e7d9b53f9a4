package dev.qnext.cli;

import dev.qnext.Engine;
import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Which model, and what computes it. */
final class ModelOptions {
  /** How long the end of the process waits for a pass that is being computed. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private static final int MOST_THREADS = 1024;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "MODEL",
      description =
          "Model folder, or a name that 'qnext list' shows. Default: $QNEXT_MODEL, else what 'qnext"
              + " use' remembers, else the bundled demonstration.")
  private @Nullable String model;

  @Spec(Spec.Target.MIXEE)
  @SuppressWarnings("NullAway.Init") // picocli
  private CommandSpec command;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "What computes. Default: auto, the best that works here.")
  private @Nullable String backend;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of the CPU backend. Default: the machine's physical cores.")
  private @Nullable Integer threads;

  /** The chosen folder or file; says on standard error when nothing was chosen. */
  Path path() {
    Models models = Models.ofThisMachine();
    ModelChoice choice = choice();
    if (choice != null) {
      return choice.find(models).folder();
    }
    Path demonstration = models.demonstration();
    if (demonstration == null) {
      throw new QnextException("no model was chosen; --model DIR names one");
    }
    warn("no model chosen, so the bundled demonstration answers; --model DIR picks another");
    return demonstration;
  }

  private @Nullable ModelChoice choice() {
    CommandLine line = command.commandLine();
    OptionSpec option = command.findOption("--model");
    ConfigDefaults settings = ConfigDefaults.of(line);
    return ModelChoice.of(
        line.getParseResult().hasMatchedOption(option) ? model : null,
        System.getenv(ModelChoice.VARIABLE),
        settings == null ? null : settings.setting(option));
  }

  static boolean hasTokenizer(Path folder) {
    return Files.exists(folder.resolve("tokenizer.json"));
  }

  /** Loads the model of {@link #path}, on the chosen backend; a signal closes it in order. */
  Engine open(Path folder) {
    leaveInOrder();
    return Engine.open(folder, backend, threads(), ModelOptions::warn);
  }

  /** Runs work on the engine's thread with the chosen backend alone. */
  <T> T withBackend(Function<Backend, T> work) {
    return Engine.withBackend(backend, threads(), ModelOptions::warn, work);
  }

  /** 0 where none were asked for. */
  private int threads() {
    if (threads == null) {
      return 0;
    }
    if (threads < 1 || threads > MOST_THREADS) {
      throw new UsageException(
          "--threads is %d but must be between 1 and %d".formatted(threads, MOST_THREADS), null);
    }
    return threads;
  }

  private static void warn(String warning) {
    System.err.println("qnext: " + warning);
  }

  /** From now on a signal ends what the engine's thread is doing before the process. */
  static void leaveInOrder() {
    try {
      Runtime.getRuntime().addShutdownHook(new Thread(ModelOptions::leave, "qnext-exit"));
    } catch (IllegalStateException e) {
      // The signal has come already.
      Output.close();
    }
  }

  /**
   * Ctrl-C in one-shot use, or another end from outside: no word more, and no pass left running.
   */
  private static void leave() {
    Output.close();
    try {
      Engine.shutDown(PATIENCE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
