package dev.qnext.cli;

import dev.qnext.Conversation;
import dev.qnext.Engine;
import dev.qnext.QnextException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import sun.misc.Signal;

/**
 * A conversation by plain lines in a terminal. Ctrl-C stops an answer and keeps the conversation;
 * at the prompt the first one warns and the second leaves. Ctrl-D leaves.
 */
final class PlainConversation {
  private static final String HELP =
      """
      /help            this list
      /system TEXT     set the system message; without TEXT, show it
      /clear           forget the conversation
      /exit            leave (Ctrl-D does too)
      Ctrl-C stops an answer.
      """;
  private static final int INTERRUPTED = 130;

  private final Engine engine;
  private final Conversation conversation;
  private final Answer answer;
  private final ReplyOptions options;
  private final Output out = Output.standard();
  private volatile boolean warned;

  PlainConversation(Engine engine, Conversation conversation, Answer answer, ReplyOptions options) {
    this.engine = engine;
    this.conversation = conversation;
    this.answer = answer;
    this.options = options;
  }

  int run() throws InterruptedException {
    Signal.handle(new Signal("INT"), signal -> interrupted());
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.err.printf(
        "qnext %s on %s; /help lists the commands%n",
        engine.checkpoint().folder().getFileName(), engine.backendName());
    while (true) {
      out.print("> ");
      out.flush();
      String line = read(in);
      if (line == null) {
        out.println("");
        out.flush();
        return 0;
      }
      warned = false;
      try {
        if (!obey(line.strip())) {
          return 0;
        }
      } catch (QnextException e) {
        System.err.println("qnext: " + e.getMessage());
      }
    }
  }

  /** False to leave. */
  private boolean obey(String line) throws InterruptedException {
    if (line.startsWith("/")) {
      return command(line);
    }
    if (!line.isEmpty()) {
      reply(line);
    }
    return true;
  }

  private static @org.jspecify.annotations.Nullable String read(BufferedReader in) {
    try {
      return in.readLine();
    } catch (IOException e) {
      throw new QnextException("cannot read the terminal: %s".formatted(e.getMessage()), e);
    }
  }

  private void interrupted() {
    if (answer.stop()) {
      return;
    }
    if (warned) {
      System.err.println();
      System.exit(INTERRUPTED);
    }
    warned = true;
    System.err.print("\n(Ctrl-C again leaves; so do Ctrl-D and /exit)\n> ");
  }

  private boolean command(String line) {
    String name = line.split("\\s", 2)[0];
    String rest = line.substring(name.length()).strip();
    switch (name) {
      case "/help", "/?" -> System.err.print(HELP);
      case "/exit", "/bye", "/quit" -> {
        return false;
      }
      case "/clear" -> {
        conversation.clear();
        System.err.println("(the conversation is forgotten)");
      }
      case "/system" -> system(rest);
      default -> System.err.printf("there is no command %s; /help lists them%n", name);
    }
    return true;
  }

  private void system(String text) {
    if (text.isEmpty()) {
      String current = conversation.system();
      System.err.println(current.isEmpty() ? "(no system message)" : current);
    } else {
      conversation.system(Input.textOrFile(text));
      System.err.println("(the system message is set)");
    }
  }

  private void reply(String line) throws InterruptedException {
    conversation.user(line);
    try {
      answer.give(piece -> {
        out.print(piece);
        out.flush();
      });
      out.endLine();
      out.flush();
      options.printStatistics(answer.result(), answer.request());
    } catch (QnextException e) {
      conversation.retract();
      throw e;
    }
  }
}
