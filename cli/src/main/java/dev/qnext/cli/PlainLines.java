package dev.qnext.cli;

import dev.qnext.QnextException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import sun.misc.Signal;

/** Lines as the terminal sends them, for one that can do no more. */
final class PlainLines implements Lines {
  private final BufferedReader in =
      new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
  private final Output out = Output.standard();
  private final BooleanSupplier stop;
  private volatile boolean warned;

  /**
   * @param stop stops the answer that is being given; false if there is none
   */
  PlainLines(BooleanSupplier stop) {
    this.stop = stop;
    Signal.handle(new Signal("INT"), signal -> interrupted());
  }

  private void interrupted() {
    if (stop.getAsBoolean()) {
      return;
    }
    if (warned) {
      System.err.println();
      System.exit(INTERRUPTED);
    }
    warned = true;
    System.err.print("\n" + INTERRUPT_WARNING + "\n" + PROMPT);
  }

  @Override
  public @Nullable String read(String draft) {
    String line = line(PROMPT);
    if (line == null) {
      out.println("");
      out.flush();
      return null;
    }
    StringBuilder typed = new StringBuilder(line);
    while (true) {
      if (Block.isOpen(typed.toString())) {
        typed.append('\n');
      } else if (!typed.isEmpty() && typed.charAt(typed.length() - 1) == '\\') {
        typed.setCharAt(typed.length() - 1, '\n');
      } else {
        return typed.toString();
      }
      String next = line(CONTINUATION);
      if (next == null) {
        return typed.toString();
      }
      typed.append(next);
    }
  }

  private @Nullable String line(String prompt) {
    out.print(prompt);
    out.flush();
    String line = read();
    warned = false;
    return line;
  }

  private @Nullable String read() {
    try {
      return in.readLine();
    } catch (IOException e) {
      throw new QnextException("cannot read the terminal: %s".formatted(e.getMessage()), e);
    }
  }

  @Override
  public boolean edits() {
    return false;
  }

  @Override
  public String ask(String question) {
    System.err.print(question);
    System.err.flush();
    String answer = read();
    return answer == null ? "" : answer;
  }

  @Override
  public void lend() {}

  @Override
  public int exitCode() {
    return 0;
  }

  @Override
  public void close() {}
}
