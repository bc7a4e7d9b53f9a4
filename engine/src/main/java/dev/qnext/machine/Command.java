package dev.qnext.machine;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A short program of the system, run for what it prints. It is killed when it takes too long, and a
 * program that is missing or fails is no error: asking is all that is done here.
 */
@FunctionalInterface
public interface Command {
  /** What was printed on standard output and standard error, and how it ended. */
  record Answer(int exit, String text) {
    /** Not found, not allowed, or out of time. */
    public static final Answer NONE = new Answer(-1, "");

    public boolean succeeded() {
      return exit == 0;
    }
  }

  Answer run(String... words);

  /** Runs on this machine, without standard input and in the C locale. */
  static Answer onThisMachine(String... words) {
    return withTimeout(5, words);
  }

  static Answer withTimeout(int seconds, String... words) {
    Process process;
    try {
      ProcessBuilder builder = new ProcessBuilder(words).redirectErrorStream(true);
      builder.environment().putAll(Map.of("LC_ALL", "C"));
      process = builder.start();
    } catch (IOException e) {
      return Answer.NONE;
    }
    AtomicReference<byte[]> printed = new AtomicReference<>(new byte[0]);
    Thread reader =
        Thread.ofVirtual()
            .start(() -> {
              try (InputStream in = process.getInputStream()) {
                printed.set(in.readAllBytes());
              } catch (IOException e) {
                // Killed: there is nothing to read.
              }
            });
    try {
      process.getOutputStream().close();
      if (process.waitFor(seconds, TimeUnit.SECONDS)) {
        reader.join(TimeUnit.SECONDS.toMillis(1));
        return new Answer(process.exitValue(), new String(printed.get(), StandardCharsets.UTF_8));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException e) {
      // It ended before it was told that there is no input.
    }
    process.destroyForcibly();
    return Answer.NONE;
  }
}
