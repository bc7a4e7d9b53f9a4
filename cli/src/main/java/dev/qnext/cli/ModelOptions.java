package dev.qnext.cli;

import dev.qnext.Engine;
import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which model, and what computes it. */
final class ModelOptions {
  /** How long the end of the process waits for a pass that is being computed. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private static final int MOST_THREADS = 1024;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "DIR",
      description = "Model folder. Default: $QNEXT_MODEL, else the bundled demonstration.")
  private @Nullable String model;

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
    String chosen = model != null ? model : System.getenv("QNEXT_MODEL");
    if (chosen != null && !chosen.isEmpty()) {
      Path path = Path.of(chosen);
      if (!Files.exists(path)) {
        throw new QnextException("there is no model folder %s".formatted(path));
      }
      return path;
    }
    String home = System.getProperty("qnext.home", ".");
    Path demo = Path.of(home, "models", "demo");
    if (!Files.isDirectory(demo)) {
      throw new QnextException("no model was chosen; --model DIR names one");
    }
    System.err.println(
        "qnext: no model chosen, so the bundled demonstration answers; --model DIR picks another");
    return demo;
  }

  static boolean hasTokenizer(Path folder) {
    return Files.exists(folder.resolve("tokenizer.json"));
  }

  /** Loads the model of {@link #path}, on the chosen backend; a signal closes it in order. */
  Engine open(Path folder) {
    if (threads != null && (threads < 1 || threads > MOST_THREADS)) {
      throw new UsageException(
          "--threads is %d but must be between 1 and %d".formatted(threads, MOST_THREADS), null);
    }
    leaveInOrder();
    int count = threads == null ? 0 : threads;
    return Engine.open(folder, backend, count, warning -> System.err.println("qnext: " + warning));
  }

  /** Runs work on the engine's thread with the chosen backend alone. */
  <T> T withBackend(Function<Backend, T> work) {
    return Engine.withBackend(backend, warning -> System.err.println("qnext: " + warning), work);
  }

  /** From now on a signal ends what the engine's thread is doing before the process. */
  static void leaveInOrder() {
    Runtime.getRuntime().addShutdownHook(new Thread(ModelOptions::leave, "qnext-exit"));
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
