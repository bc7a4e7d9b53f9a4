package dev.qnext;

import dev.qnext.backend.Backend;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.generate.Generator;
import dev.qnext.generate.Request;
import dev.qnext.generate.Session;
import dev.qnext.generate.TokenListener;
import dev.qnext.model.LanguageModel;
import dev.qnext.text.TextStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A loaded model, ready to generate. One platform thread owns the backend from the first call to
 * the last free, because MLX's streams belong to the thread that made them; a second engine shares
 * that thread. Callers may be on any other thread.
 */
public final class Engine implements AutoCloseable {
  private static final long STACK_BYTES = 64L << 20;
  private static final ExecutorService THREAD =
      Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(null, task, "qnext-engine", STACK_BYTES);
        thread.setDaemon(true);
        return thread;
      });

  private static final Set<Engine> OPEN = ConcurrentHashMap.newKeySet();

  /** How long the end of the process waits for a pass that it may cut off. */
  private static final long CUT_OFF_MILLIS = 50;

  /** A backend is there, and whether any was that must not be cut off in a pass. */
  private static volatile boolean opened;

  private static volatile boolean mustNotBeCutOff;

  private final Checkpoint checkpoint;
  private final Backend backend;
  private final LanguageModel model;

  /** Touched on the engine's thread only. */
  private final Set<Session> sessions = new HashSet<>();

  private final Set<Generation> running = new HashSet<>();
  private boolean closed;

  private Engine(Checkpoint checkpoint, Backend backend, LanguageModel model) {
    this.checkpoint = checkpoint;
    this.backend = backend;
    this.model = model;
  }

  /** Opens a model folder on the best backend that works here, or the named one. */
  public static Engine open(Path folder, @Nullable String backendName) {
    return open(folder, backendName, 0, warning -> {});
  }

  /**
   * Opens a model folder.
   *
   * @param backendName null or "auto" takes the best that works here
   * @param threads to compute with, where the backend lets choose; 0 for as many as suit it
   * @param warnings gets what the user should know though it goes on, in a sentence each
   */
  public static Engine open(
      Path folder, @Nullable String backendName, int threads, Consumer<String> warnings) {
    return openOn(folder, () -> backend(backendName, threads, warnings));
  }

  private static Backend backend(@Nullable String name, int threads, Consumer<String> warnings) {
    Backend backend = Backends.installed().open(name, warnings);
    mustNotBeCutOff |= !backend.mayBeCutOff();
    opened = true;
    if (threads > 0) {
      backend.useThreads(threads);
    }
    return backend;
  }

  static Engine openOn(Path folder, Supplier<Backend> backends) {
    Engine engine = await(onThread(() -> load(folder, backends)));
    OPEN.add(engine);
    return engine;
  }

  private static Engine load(Path folder, Supplier<Backend> backends) {
    Checkpoint checkpoint = Checkpoint.open(folder);
    Backend backend = null;
    try {
      backend = backends.get();
      return new Engine(checkpoint, backend, LanguageModel.load(checkpoint, backend));
    } catch (Throwable e) {
      if (backend != null) {
        backend.close();
      }
      checkpoint.close();
      throw e;
    }
  }

  /**
   * Runs work on the engine's thread with a backend of its own, which is closed afterwards.
   *
   * @param backendName null or "auto" takes the best that works here
   * @param threads as for {@link #open(Path, String, int, Consumer)}
   * @param warnings gets what the user should know though it goes on, in a sentence each
   */
  public static <T> T withBackend(
      @Nullable String backendName,
      int threads,
      Consumer<String> warnings,
      Function<Backend, T> work) {
    return await(
        onThread(() -> {
          try (Backend backend = backend(backendName, threads, warnings)) {
            return work.apply(backend);
          }
        }));
  }

  /** Names of all backends that were found, the best first. */
  public static List<String> backends() {
    return await(onThread(() -> Backends.installed().names()));
  }

  /** Told while {@link #examineBackends} tests one. */
  @FunctionalInterface
  public interface TestProgress {
    void testing(String backend, int done, int all);
  }

  /**
   * Looks at every backend and tests it, whether it has passed before or not.
   *
   * @param reports gets each as soon as it is there, on the engine's thread
   */
  public static void examineBackends(TestProgress progress, Consumer<BackendReport> reports) {
    await(
        onThread(() -> {
          Backends.installed().examine(progress, reports);
          return true;
        }));
  }

  public Checkpoint checkpoint() {
    return checkpoint;
  }

  public String backendName() {
    return backend.name();
  }

  public LanguageModel model() {
    return model;
  }

  /** A new timeline with room for so many tokens. */
  public Session newSession(long capacity) {
    return call(model -> {
      Session session = new Session(model, capacity);
      sessions.add(session);
      return session;
    });
  }

  /** Forgets a timeline and frees its memory. */
  public void close(Session session) {
    call(model -> {
      if (sessions.remove(session)) {
        session.close();
      }
      return true;
    });
  }

  /**
   * Starts to generate and returns at once. Whoever reads it must not ask the engine for anything
   * else before its end: the engine's thread waits for the reader.
   *
   * @param text turns tokens into text and ends at stop strings; null where only ids count
   */
  public Generation generate(Session session, Request request, @Nullable TextStream text) {
    return generate(session, request, text, id -> true);
  }

  /**
   * The same, ended by the listener, which runs on the engine's thread.
   *
   * @param listener gets each id once it is on its way to the reader
   */
  public synchronized Generation generate(
      Session session, Request request, @Nullable TextStream text, TokenListener listener) {
    Generation generation = new Generation(text, listener);
    Future<?> unused =
        submit(() -> {
          generation.run(new Generator(model), session, request);
          return ended(generation);
        });
    running.add(generation);
    return generation;
  }

  private synchronized boolean ended(Generation generation) {
    return running.remove(generation);
  }

  /** Work for the model on its own thread. */
  @FunctionalInterface
  public interface Work<T> {
    T on(LanguageModel model);
  }

  /** Runs work on the engine's thread and waits for it. */
  public <T> T call(Work<T> work) {
    return await(submit(() -> work.on(model)));
  }

  private synchronized <T> Future<T> submit(Callable<T> work) {
    if (closed) {
      throw new IllegalStateException("the engine is closed");
    }
    return onThread(work);
  }

  private static <T> Future<T> onThread(Callable<T> work) {
    try {
      return THREAD.submit(work);
    } catch (RejectedExecutionException e) {
      throw new IllegalStateException("the process is about to exit", e);
    }
  }

  private static <T> T await(Future<T> work) {
    try {
      return work.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new QnextException("interrupted", e);
    }
  }

  /** Ends what is being generated, and frees all sessions, then the weights and the backend. */
  @Override
  public void close() {
    Future<Boolean> closing = startClosing();
    if (closing != null) {
      await(closing);
    }
  }

  /** Null if that was done before. */
  private synchronized @Nullable Future<Boolean> startClosing() {
    if (closed) {
      return null;
    }
    closed = true;
    OPEN.remove(this);
    running.forEach(Generation::cancel);
    return onThread(() -> {
      try (checkpoint;
          backend;
          model) {
        sessions.forEach(Session::close);
      }
      return true;
    });
  }

  /**
   * For a process that is about to exit, because native code must not be computing while its
   * libraries are taken down. Closes all engines, ends their thread, and waits at most so long for
   * what cannot be cancelled; hardly where all backends may be cut off. No engine works after that.
   */
  public static void shutDown(Duration patience) throws InterruptedException {
    OPEN.forEach(Engine::startClosing);
    THREAD.shutdown();
    boolean mayBeCutOff = opened && !mustNotBeCutOff;
    long millis = patience.toMillis();
    THREAD.awaitTermination(
        mayBeCutOff ? Math.min(millis, CUT_OFF_MILLIS) : millis, TimeUnit.MILLISECONDS);
  }
}
