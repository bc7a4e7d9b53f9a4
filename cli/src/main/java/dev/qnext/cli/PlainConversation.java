package dev.qnext.cli;

import dev.qnext.Conversation;
import dev.qnext.Engine;
import dev.qnext.QnextException;
import dev.qnext.Reply;
import dev.qnext.cli.ThinkOptions.Think;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
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
  private final StatisticsOptions statistics;
  private final ThinkOptions thinking;
  private final @Nullable Path file;
  private String attachments;
  private final Output out = Output.standard();
  private volatile boolean warned;

  /**
   * @param file where the conversation is kept; null to keep it nowhere
   * @param attachments what goes before the first message
   */
  PlainConversation(
      Engine engine,
      Conversation conversation,
      Answer answer,
      StatisticsOptions statistics,
      ThinkOptions thinking,
      @Nullable Path file,
      String attachments) {
    this.engine = engine;
    this.conversation = conversation;
    this.answer = answer;
    this.statistics = statistics;
    this.thinking = thinking;
    this.file = file;
    this.attachments = attachments;
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

  private static @Nullable String read(BufferedReader in) {
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
    conversation.user(attachments + line);
    attachments = "";
    try {
      Reply reply = answer.giveAll(new PlainView(thinking.think() == Think.SHOW), Input::ask);
      statistics.print(reply.result(), answer.request());
    } catch (QnextException e) {
      conversation.undo();
      throw e;
    }
    if (file != null) {
      ConversationFile.write(file, conversation.messages());
    }
  }
}
