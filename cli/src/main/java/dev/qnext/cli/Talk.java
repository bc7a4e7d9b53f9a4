package dev.qnext.cli;

import dev.qnext.Conversation;
import dev.qnext.Engine;
import dev.qnext.QnextException;
import dev.qnext.Reply;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A conversation in a terminal: questions, answers and commands until the user leaves. Ctrl-C stops
 * an answer and keeps it, and the conversation; a second one while it still goes on leaves.
 */
final class Talk {
  private static final int LONGEST_QUOTE = 40;

  private final Engine engine;
  private final Conversation conversation;
  private final Answer answer;
  private final Settings settings;
  private final SamplingOptions sampling;
  private final StatisticsOptions statistics;
  private final Supplier<ReplyView> views;
  private final ConversationLog log;
  private String attachments;

  /** A question to be changed; empty if none is. */
  private String draft = "";

  private volatile boolean stopping;

  /**
   * @param views makes the view of an exchange
   * @param log where the conversation is kept
   * @param attachments what goes before the first message
   */
  Talk(
      Engine engine,
      Conversation conversation,
      Answer answer,
      SamplingOptions sampling,
      ThinkOptions thinking,
      StatisticsOptions statistics,
      Supplier<ReplyView> views,
      ConversationLog log,
      String attachments) {
    this.engine = engine;
    this.conversation = conversation;
    this.answer = answer;
    this.settings = new Settings(engine.checkpoint(), sampling, thinking, statistics);
    this.sampling = sampling;
    this.statistics = statistics;
    this.views = views;
    this.log = log;
    this.attachments = attachments;
  }

  /** Talks until the user leaves; returns the exit code. */
  int run() throws InterruptedException {
    try (Lines lines = lines()) {
      System.err.printf(
          "qnext %s on %s; /help lists the commands%n",
          engine.checkpoint().folder().getFileName(), engine.backendName());
      for (String typed; (typed = lines.read(draft)) != null; ) {
        boolean edited = !draft.isEmpty();
        draft = "";
        try {
          if (!obey(typed, edited, lines)) {
            return 0;
          }
        } catch (QnextException e) {
          System.err.println("qnext: " + e.getMessage());
        }
      }
      return lines.exitCode();
    }
  }

  /** Begins what can be done before the model is there. */
  static void prepare() {
    if (canEdit()) {
      EditedLines.prepare();
    }
  }

  /** A terminal of unknown width is drawn by nobody but itself. */
  private static boolean canEdit() {
    return !Terminal.dumb() && TerminalSize.columns() > 0;
  }

  private Lines lines() throws InterruptedException {
    if (canEdit()) {
      try {
        return EditedLines.open(settings, this::stop);
      } catch (RuntimeException | LinkageError e) {
        System.err.printf("qnext: lines cannot be edited in this terminal: %s%n", e.getMessage());
      }
    }
    return new PlainLines(this::stop);
  }

  /** Ctrl-C. False if no answer is being given. Any thread. */
  private boolean stop() {
    if (!answer.stop()) {
      return false;
    }
    if (stopping) {
      System.exit(Lines.INTERRUPTED);
    }
    stopping = true;
    return true;
  }

  /** False to leave. */
  private boolean obey(String typed, boolean edited, Lines lines) throws InterruptedException {
    String text = Block.text(typed);
    String word = text.strip().split("\\s", 2)[0];
    boolean command = word.startsWith("/") && !Block.isMessage(typed);
    if (command && (TalkCommand.of(word) != null || !text.strip().contains("\n"))) {
      return command(word, text.strip().substring(word.length()).strip(), lines);
    }
    if (!text.isBlank()) {
      if (edited) {
        conversation.undo();
      }
      ask(Block.isMessage(typed) ? text : text.strip(), lines);
    }
    return true;
  }

  private void ask(String question, Lines lines) throws InterruptedException {
    List<Map<String, @Nullable Object>> before = new ArrayList<>(conversation.messages());
    conversation.user(attachments + question);
    stopping = false;
    try {
      Reply reply = answer.giveAll(views.get(), lines::ask);
      attachments = "";
      statistics.print(reply.result(), answer.request());
    } catch (QnextException e) {
      conversation.replace(before);
      throw e;
    }
    log.keep(conversation.messages());
  }

  // ------------------------------------------------------------------------------------- commands

  /** False to leave. */
  private boolean command(String word, String argument, Lines lines) throws InterruptedException {
    switch (TalkCommand.of(word)) {
      case HELP -> System.err.print(TalkCommand.help(Terminal.columns()));
      case SYSTEM -> system(argument);
      case SET -> set(argument);
      case SHOW -> show();
      case REGEN -> regenerate(lines);
      case UNDO -> undo();
      case EDIT -> edit(lines);
      case SAVE -> save(argument);
      case LOAD -> load(argument);
      case CLEAR -> {
        conversation.clear();
        log.startAnew();
        tell("the conversation is forgotten");
      }
      case EXIT -> {
        return false;
      }
      case null -> unknown(word);
    }
    return true;
  }

  private static void unknown(String word) {
    List<String> words = Arrays.stream(TalkCommand.values()).map(TalkCommand::word).toList();
    String nearest = Nearest.of(word, words);
    System.err.printf(
        "there is no command %s; %s%n",
        word, nearest == null ? "/help lists them" : "did you mean " + nearest + "?");
  }

  private static void tell(String fact) {
    System.err.printf("(%s)%n", fact);
  }

  private void system(String text) {
    if (text.isEmpty()) {
      String current = conversation.system();
      System.err.println(current.isEmpty() ? "(no system message)" : current);
    } else {
      conversation.system(Input.textOrFile(text));
      tell("the system message is set");
    }
  }

  private void set(String argument) {
    if (argument.isEmpty()) {
      printSettings();
      return;
    }
    String[] words = argument.split("[\\s=]+", 2);
    if (words.length == 2) {
      settings.set(words[0], words[1].strip());
    }
    System.err.printf("%s: %s%n", words[0], settings.value(words[0]));
  }

  private void printSettings() {
    for (String name : settings.names()) {
      System.err.printf("%-13s %s%n", name, settings.value(name));
    }
  }

  private void show() {
    System.err.printf("%-13s %s%n", "model", engine.checkpoint().folder());
    System.err.printf("%-13s %s%n", "backend", engine.backendName());
    System.err.printf(
        "%-13s %,d of %,d tokens%n", "context", tokens(), engine.model().contextLimit());
    System.err.printf("%-13s %s%n", "kept in", log);
    printSettings();
  }

  /** Of what was said so far. */
  private int tokens() {
    boolean asked =
        conversation.messages().stream().anyMatch(message -> "user".equals(message.get("role")));
    return asked ? conversation.prompt().length : 0;
  }

  private void regenerate(Lines lines) throws InterruptedException {
    List<Map<String, @Nullable Object>> before = new ArrayList<>(conversation.messages());
    String question = conversation.undo();
    if (question == null) {
      tell("there is no answer yet");
      return;
    }
    sampling.changeSeed();
    try {
      ask(question, lines);
    } catch (QnextException e) {
      conversation.replace(before);
      throw e;
    }
    if (answer.request().sampling().temperature() == 0) {
      tell("at temperature 0 it is the same again; /set temp 0.7 changes that");
    }
  }

  private void undo() {
    String question = conversation.undo();
    if (question == null) {
      tell("there is nothing to take back");
      return;
    }
    log.keep(conversation.messages());
    tell("taken back: " + quote(question));
  }

  private static String quote(String text) {
    String line = text.strip().replaceAll("\\s+", " ");
    return line.codePointCount(0, line.length()) <= LONGEST_QUOTE
        ? line
        : line.substring(0, line.offsetByCodePoints(0, LONGEST_QUOTE)) + "...";
  }

  private @Nullable String lastQuestion() {
    for (Map<String, @Nullable Object> message : conversation.messages().reversed()) {
      if ("user".equals(message.get("role"))) {
        return String.valueOf(message.get("content"));
      }
    }
    return null;
  }

  private void edit(Lines lines) throws InterruptedException {
    String question = lastQuestion();
    Editor editor = Editor.ofUser();
    if (question == null) {
      tell("there is no question yet");
    } else if (editor != null) {
      lines.lend();
      String changed = editor.edit(question);
      if (changed.isEmpty()) {
        tell("nothing is left of the question, so it stays as it was");
      } else {
        conversation.undo();
        System.err.println(Lines.PROMPT + changed.replace("\n", "\n" + Lines.CONTINUATION));
        ask(changed, lines);
      }
    } else if (lines.edits()) {
      draft = question;
    } else {
      throw new QnextException("there is no editor; set VISUAL or EDITOR to the command of one");
    }
  }

  private void save(String name) {
    if (name.isEmpty()) {
      throw new QnextException("the conversation needs a name: /save NAME");
    }
    Path saved = ConversationFile.named(name);
    ConversationFile.write(saved, conversation.messages());
    tell("saved as " + saved);
  }

  private void load(String name) {
    if (name.isEmpty()) {
      List<String> names = ConversationFile.names();
      tell(names.isEmpty() ? "no conversation is saved" : "saved: " + String.join(", ", names));
      return;
    }
    List<Map<String, @Nullable Object>> messages =
        ConversationFile.read(ConversationFile.named(name));
    conversation.replace(messages);
    log.startAnew();
    tell("%d messages; last question: %s".formatted(messages.size(), quote(lastOrNothing())));
  }

  private String lastOrNothing() {
    String question = lastQuestion();
    return question == null ? "none" : question;
  }
}
