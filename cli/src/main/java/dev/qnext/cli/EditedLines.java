package dev.qnext.cli;

import static java.util.Objects.requireNonNull;

import dev.qnext.machine.ConfigFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jline.keymap.KeyMap;
import org.jline.reader.Buffer;
import org.jline.reader.Completer;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.Reference;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Attributes;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jspecify.annotations.Nullable;
import sun.misc.Signal;

/**
 * Lines that are edited in a terminal, by JLine: history, completion, many lines. The only class of
 * the program, with {@link TypedWords} and {@link TalkCompleter}, that knows JLine; nothing of it
 * is loaded before a conversation begins.
 *
 * <p>JLine's own signal handlers call Java from within a signal handler, on whatever thread it
 * interrupts, which the virtual machine does not survive everywhere; here the JDK's handlers tell
 * JLine instead.
 */
final class EditedLines implements Lines {
  /** What JLine would have the user know, such as that its history file is damaged. */
  private static final Logger LOG = Logger.getLogger("org.jline");

  /** Ends bracketed paste and the application's keypad, which JLine turns on to read a line. */
  private static final String END_OF_READING = "\u001b[?2004l\u001b[?1l\u001b>";

  private static final FutureTask<Terminal> TERMINAL = new FutureTask<>(EditedLines::terminal);

  private static final String SUSPEND = "suspend";

  private final Terminal terminal;
  private final LineReader reader;
  private final Attributes original;
  private volatile boolean reading;
  private boolean warned;
  private int exitCode;

  /**
   * @param stop stops the answer that is being given
   */
  EditedLines(Terminal terminal, Completer completer, Runnable stop) {
    this.terminal = terminal;
    this.original = terminal.getAttributes();
    LineReaderBuilder builder =
        LineReaderBuilder.builder()
            .terminal(terminal)
            .appName("qnext")
            .parser(TypedWords::parse)
            .completer(completer)
            .variable(LineReader.SECONDARY_PROMPT_PATTERN, CONTINUATION)
            .variable(LineReader.BELL_STYLE, "none")
            .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
            .option(LineReader.Option.AUTO_FRESH_LINE, false);
    Path config = ConfigFolder.path();
    if (config != null) {
      builder.variable(LineReader.HISTORY_FILE, config.resolve("history"));
    }
    this.reader = builder.build();
    reader.getWidgets().put(LineReader.ACCEPT_LINE, this::accept);
    reader.getWidgets().put(SUSPEND, this::suspend);
    requireNonNull(reader.getKeyMaps().get(LineReader.MAIN))
        .bind(new Reference(SUSPEND), KeyMap.ctrl('Z'));
    terminal.handle(Terminal.Signal.INT, signal -> stop.run());
  }

  /** Loads JLine while others load the model; without it {@link #open} takes that much longer. */
  static void prepare() {
    Thread thread = new Thread(TERMINAL, "qnext-terminal-start");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * @throws IllegalStateException if there is no terminal in which lines can be edited
   */
  static EditedLines open(Settings settings, Runnable stop) throws InterruptedException {
    TERMINAL.run(); // does nothing if it was prepared
    Terminal terminal;
    try {
      terminal = TERMINAL.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
    EditedLines lines = new EditedLines(terminal, new TalkCompleter(settings), stop);
    Runtime.getRuntime().addShutdownHook(new Thread(lines::leave, "qnext-terminal"));
    Signal.handle(new Signal("INT"), signal -> terminal.raise(Terminal.Signal.INT));
    Signal.handle(new Signal("WINCH"), signal -> terminal.raise(Terminal.Signal.WINCH));
    Signal.handle(new Signal("CONT"), signal -> terminal.raise(Terminal.Signal.CONT));
    return lines;
  }

  private static Terminal terminal() throws IOException {
    LOG.setLevel(Level.OFF);
    // Else Ctrl-C is told twice, as a signal and as a key, and the second can come a line too late.
    System.setProperty(TerminalBuilder.PROP_SOFTWARE_SIGNALS, "false");
    Terminal terminal =
        TerminalBuilder.builder()
            .name("qnext")
            .system(true)
            .provider("ffm")
            .dumb(false)
            .encoding(StandardCharsets.UTF_8)
            .stdinEncoding(StandardCharsets.UTF_8)
            .stdoutEncoding(StandardCharsets.UTF_8)
            .nativeSignals(false)
            .graphemeCluster(false)
            .build();
    // The first reader takes longest.
    LineReader unused = LineReaderBuilder.builder().terminal(terminal).build();
    return terminal;
  }

  /** Ended from outside; JLine restores the rest. */
  private void leave() {
    if (reading) {
      System.out.print(END_OF_READING);
      System.out.flush();
    }
  }

  /** Ctrl-Z. When the shell goes on with the process, JLine draws the line again. */
  private boolean suspend() {
    System.out.print(END_OF_READING);
    System.out.flush();
    terminal.setAttributes(original);
    String pid = String.valueOf(ProcessHandle.current().pid());
    try {
      int unused = new ProcessBuilder("kill", "-TSTP", pid).inheritIO().start().waitFor();
    } catch (IOException | InterruptedException e) {
      return false;
    }
    return true;
  }

  /** The return key: sends what was typed, or goes on with the next line. */
  private boolean accept() {
    Buffer buffer = reader.getBuffer();
    String typed = buffer.toString();
    if (Block.isOpen(typed)) {
      buffer.cursor(buffer.length());
      buffer.write('\n');
      return true;
    }
    if (typed.endsWith("\\") && buffer.cursor() == buffer.length()) {
      buffer.backspace();
      buffer.write('\n');
      return true;
    }
    reader.callWidget("." + LineReader.ACCEPT_LINE);
    return true;
  }

  @Override
  public @Nullable String read(String draft) {
    String begun = draft;
    while (true) {
      try {
        String typed = line(PROMPT, begun);
        warned = false;
        return typed;
      } catch (UserInterruptException e) {
        begun = "";
        if (!e.getPartialLine().isEmpty()) {
          warned = false;
        } else if (warned) {
          exitCode = INTERRUPTED;
          return null;
        } else {
          warned = true;
          System.err.println(INTERRUPT_WARNING);
        }
      } catch (EndOfFileException e) {
        return null;
      }
    }
  }

  /** Outside of this, what is typed is not echoed into the answer; it stands in the next line. */
  private String line(String prompt, String draft) {
    terminal.setAttributes(original);
    reading = true;
    try {
      return reader.readLine(prompt, null, (Character) null, draft);
    } finally {
      reading = false;
      Attributes silent = new Attributes(original);
      silent.setLocalFlag(Attributes.LocalFlag.ECHO, false);
      terminal.setAttributes(silent);
    }
  }

  @Override
  public boolean edits() {
    return true;
  }

  @Override
  public String ask(String question) {
    reader.setVariable(LineReader.DISABLE_HISTORY, true);
    reader.setVariable(LineReader.DISABLE_COMPLETION, true);
    try {
      return line(question, "");
    } catch (UserInterruptException | EndOfFileException e) {
      return "";
    } finally {
      reader.setVariable(LineReader.DISABLE_HISTORY, false);
      reader.setVariable(LineReader.DISABLE_COMPLETION, false);
    }
  }

  @Override
  public void lend() {
    terminal.setAttributes(original);
  }

  @Override
  public int exitCode() {
    return exitCode;
  }

  @Override
  public void close() {
    try {
      terminal.close();
    } catch (IOException e) {
      // It is gone; so is what was to be restored.
    }
  }
}
