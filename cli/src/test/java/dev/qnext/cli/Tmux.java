package dev.qnext.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** The command line in a terminal that tmux draws: keys in, a screen out. */
final class Tmux implements AutoCloseable {
  private static final int SECONDS = 60;

  /** Says on the screen how the command line ended. */
  private static final String ENDED = "ended with ";

  /** Instead of an argument: standard input is a pipe, which hands on what is typed. */
  static final String PIPED = "< cat";

  private static int number;

  private final String socket;

  private Tmux(String socket) {
    this.socket = socket;
  }

  /** Skips the test where there is no tmux. */
  static void assume() {
    assumeTrue(
        Stream.of(System.getenv("PATH").split(":"))
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, "tmux"))),
        "there is no tmux");
  }

  static Tmux start(
      int columns,
      int rows,
      Path home,
      Map<String, String> environment,
      List<String> javaOptions,
      String... args) {
    List<String> words = new ArrayList<>(List.of("env", "-u", "VISUAL", "-u", "EDITOR"));
    words.addAll(List.of("-u", "NO_COLOR", "HOME=" + home, "XDG_CONFIG_HOME=" + home));
    environment.forEach((name, value) -> words.add(name + "=" + value));
    List<String> options = new ArrayList<>(List.of("-Dqnext.terminals=012"));
    options.addAll(javaOptions);
    words.addAll(CliProcess.command(options, args));
    StringBuilder command = new StringBuilder();
    for (String word : words) {
      if (word.equals(PIPED)) {
        command.insert(0, "cat | ");
        continue;
      }
      command.append('\'').append(word.replace("'", "'\\''")).append("' ");
    }
    command.append("; echo ").append(ENDED).append("$?; sleep 60");
    Tmux tmux = new Tmux("qnext-test-%d-%d".formatted(ProcessHandle.current().pid(), number++));
    tmux.run(
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-x",
        String.valueOf(columns),
        "-y",
        String.valueOf(rows),
        command.toString());
    return tmux;
  }

  private String run(String... arguments) {
    List<String> command = new ArrayList<>(List.of("tmux", "-L", socket));
    command.addAll(List.of(arguments));
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      process.waitFor();
      return out;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** Keys by their names, such as Enter, C-c, Up; other words are typed. */
  Tmux keys(String... keys) {
    List<String> arguments = new ArrayList<>(List.of("send-keys"));
    arguments.addAll(List.of(keys));
    run(arguments.toArray(String[]::new));
    return this;
  }

  /** As a terminal pastes. */
  Tmux paste(String text) {
    run("set-buffer", text);
    run("paste-buffer", "-p");
    return this;
  }

  Tmux resize(int columns, int rows) {
    run("resize-window", "-x", String.valueOf(columns), "-y", String.valueOf(rows));
    return this;
  }

  /** What the screen shows, without blank lines and blanks at line ends. */
  String screen() {
    return lines(run("capture-pane", "-p"));
  }

  /** The same with escape sequences for colours. */
  String colours() {
    return lines(run("capture-pane", "-p", "-e"));
  }

  private static String lines(String screen) {
    StringBuilder lines = new StringBuilder();
    for (String line : screen.split("\n")) {
      if (!line.isBlank()) {
        lines.append(line.stripTrailing()).append('\n');
      }
    }
    return lines.toString();
  }

  Tmux await(Predicate<String> expected, String description) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
    while (!expected.test(screen())) {
      if (System.nanoTime() > end) {
        throw new AssertionError("no %s on the screen:\n%s".formatted(description, screen()));
      }
      pause(30);
    }
    return this;
  }

  Tmux await(String text) {
    return await(screen -> screen.contains(text), "\"" + text + "\"");
  }

  /** The screen ends so. */
  Tmux awaitEnd(String text) {
    return await(screen -> screen.endsWith(text), "\"" + text + "\" at the end");
  }

  Tmux awaitPrompt() {
    return awaitEnd("\n>\n");
  }

  Tmux awaitExit(int code) {
    return await(ENDED + code);
  }

  static void pause(int millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** The command line's own process. */
  ProcessHandle process() {
    long pane = Long.parseLong(run("list-panes", "-F", "#{pane_pid}").strip());
    return ProcessHandle.of(pane)
        .orElseThrow()
        .descendants()
        .filter(each -> each.info().command().orElse("").endsWith("java"))
        .findFirst()
        .orElseThrow();
  }

  /** The terminal goes. */
  @Override
  public void close() {
    run("kill-server");
  }
}
