package dev.qnext.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The command line as a process of its own: signals, pipes, environment, locale. */
final class CliProcess implements AutoCloseable {
  private static final int SECONDS = 60;

  private final Process process;
  private final Collected out;
  private final Collected err;

  /** One stream of the process, as far as it has come. */
  private static final class Collected {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final Thread reader;
    private boolean ended;

    Collected(InputStream stream) {
      reader = Thread.ofVirtual().start(() -> collect(stream));
    }

    private void collect(InputStream stream) {
      byte[] buffer = new byte[8192];
      try {
        for (int n; (n = stream.read(buffer)) >= 0; ) {
          add(buffer, n);
        }
      } catch (IOException e) {
        // The process is gone.
      }
      add(buffer, -1);
    }

    private synchronized void add(byte[] buffer, int n) {
      if (n < 0) {
        ended = true;
      } else {
        bytes.write(buffer, 0, n);
      }
      notifyAll();
    }

    synchronized String text() {
      return bytes.toString(StandardCharsets.UTF_8);
    }

    synchronized void await(String expected, int times) throws InterruptedException {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
      while (count(text(), expected) < times) {
        if (ended || System.nanoTime() > end) {
          throw new AssertionError("no \"%s\" in: %s".formatted(expected, text()));
        }
        wait(100);
      }
    }

    private static int count(String text, String part) {
      int count = 0;
      for (int at = 0; (at = text.indexOf(part, at)) >= 0; at += part.length()) {
        count++;
      }
      return count;
    }
  }

  private CliProcess(Process process, boolean collectOut) {
    this.process = process;
    this.out = new Collected(collectOut ? process.getInputStream() : InputStream.nullInputStream());
    this.err = new Collected(process.getErrorStream());
  }

  /** The words of a command that runs the command line: {@code java ... dev.qnext.cli.Main}. */
  static List<String> command(List<String> javaOptions, String... args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-Xlog:disable", "-Xlog:all=warning:stderr"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Dqnext.home=/nowhere"));
    command.addAll(javaOptions);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of(args));
    return command;
  }

  static CliProcess start(String... args) {
    return start(Map.of(), List.of(), args);
  }

  static CliProcess start(
      Map<String, String> environment, List<String> javaOptions, String... args) {
    return start(environment, command(javaOptions, args), true);
  }

  /** A process whose standard output nobody reads but the test. */
  static CliProcess startUnread(String... args) {
    return start(Map.of(), command(List.of(), args), false);
  }

  static CliProcess start(Map<String, String> environment, List<String> command, boolean collect) {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().keySet().removeIf(name -> name.startsWith("QNEXT_"));
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    builder.environment().putAll(environment);
    try {
      return new CliProcess(builder.start(), collect);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  InputStream unreadOutput() {
    return process.getInputStream();
  }

  void type(String text) throws IOException {
    OutputStream in = process.getOutputStream();
    in.write(text.getBytes(StandardCharsets.UTF_8));
    in.flush();
  }

  void endInput() throws IOException {
    process.getOutputStream().close();
  }

  void awaitOut(String text, int times) throws InterruptedException {
    out.await(text, times);
  }

  void awaitErr(String text, int times) throws InterruptedException {
    err.await(text, times);
  }

  String out() {
    return out.text();
  }

  /** Ctrl-C. */
  void interrupt() throws IOException, InterruptedException {
    signal("INT");
  }

  /** "INT", "TERM", "HUP" ... */
  void signal(String name) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid())).start().waitFor();
  }

  long pid() {
    return process.pid();
  }

  /** A process that was itself started with SIGINT ignored hands that on to its children. */
  static void assumeInterruptible() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (Files.exists(status)) {
      for (String line : Files.readAllLines(status)) {
        if (line.startsWith("SigIgn:")) {
          long ignored = Long.parseUnsignedLong(line.substring(7).strip(), 16);
          assumeTrue((ignored & 1L << 1) == 0, "this process ignores SIGINT");
        }
      }
    }
  }

  Outcome end() throws InterruptedException {
    if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError(
          "still running; standard error: %s; standard output: %s"
              .formatted(err.text(), out.text()));
    }
    out.reader.join();
    err.reader.join();
    return new Outcome(process.exitValue(), out.text(), err.text());
  }

  /** Runs to the end without input. */
  static Outcome run(Map<String, String> environment, List<String> javaOptions, String... args)
      throws IOException, InterruptedException {
    try (CliProcess process = start(environment, javaOptions, args)) {
      process.endInput();
      return process.end();
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
