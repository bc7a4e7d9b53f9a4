package dev.qnext.cli;

import dev.qnext.Conversation;
import dev.qnext.Engine;
import dev.qnext.Reply;
import dev.qnext.generate.Session;
import dev.qnext.text.ChatTemplate;
import dev.qnext.text.Tokenizer;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** One question, or a conversation. */
@Command(
    name = "chat",
    description = "Answers a prompt; without one, in a terminal, holds a conversation.",
    mixinStandardHelpOptions = true)
final class ChatCommand implements Callable<Integer> {
  /** How an answer is printed; one way at most. */
  static final class Form {
    @Option(
        names = {"-x", "--extract"},
        description = "Print only the last fenced block of the answer.")
    private boolean extract;

    @Option(names = "--json", description = "Print one JSON object at the end instead of text.")
    private boolean json;

    @Option(
        names = "--jsonl",
        description = "Print a line of JSON for everything that happens, when it happens.")
    private boolean jsonl;
  }

  @Mixin private ModelOptions model = new ModelOptions();
  @Mixin private PromptOptions prompt = new PromptOptions();
  @Mixin private SamplingOptions sampling = new SamplingOptions();
  @Mixin private ThinkOptions thinking = new ThinkOptions();
  @Mixin private ToolOptions tools = new ToolOptions();
  @Mixin private ColorOptions color = new ColorOptions();
  @Mixin private StatisticsOptions statistics = new StatisticsOptions();

  @ArgGroup private Form form = new Form();

  @Option(
      names = {"-c", "--continue"},
      description = "Go on with the last conversation.")
  private boolean goOn;

  @Option(
      names = "--log",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Keep the conversation in the config folder, for -c, or do not.")
  private boolean log;

  @Override
  public Integer call() throws InterruptedException {
    sampling.check();
    thinking.check();
    Path saved = prompt.save();
    if (saved != null) {
      System.err.println("qnext: saved as " + saved);
      return 0;
    }
    Path earlier = goOn ? ConversationFile.newest() : null;
    Path folder = model.path();
    boolean talk = !prompt.given() && Terminal.input() && Terminal.output();
    if (talk) {
      Talk.prepare();
    }
    Conversation conversation = new Conversation(Tokenizer.load(folder), ChatTemplate.load(folder));
    if (earlier != null) {
      conversation.replace(ConversationFile.read(earlier));
    }
    conversation.tools(tools.schemas());
    String system = prompt.system();
    if (system != null) {
      conversation.system(system);
    }
    String question = talk ? "" : prompt.text();
    try (Engine engine = model.open(folder)) {
      Session session = engine.newSession(engine.model().contextLimit());
      Answer answer =
          new Answer(engine, session, conversation, sampling, thinking, tools.command());
      ConversationLog kept = new ConversationLog(log, earlier);
      if (talk) {
        return new Talk(
                engine,
                conversation,
                answer,
                sampling,
                thinking,
                statistics,
                this::view,
                kept,
                prompt.attachments())
            .run();
      }
      conversation.user(question);
      Reply last = answer.giveAll(view(), Terminal.input() ? Input::ask : null);
      kept.keep(conversation.messages());
      statistics.print(last.result(), answer.request());
      return 0;
    }
  }

  private ReplyView view() {
    if (form.json) {
      return new JsonView();
    }
    if (form.jsonl) {
      return new EventView();
    }
    if (form.extract) {
      return new BlockView();
    }
    Colors colors = color.colors();
    ThinkOptions.Think think = thinking.think();
    return Terminal.output() || colors.on()
        ? new TerminalView(colors, think, Terminal.output() && !Terminal.dumb())
        : new PlainView(think == ThinkOptions.Think.SHOW);
  }
}
