package dev.qnext.cli;

import dev.qnext.Conversation;
import dev.qnext.Engine;
import dev.qnext.generate.Session;
import dev.qnext.json.Json;
import dev.qnext.text.ChatTemplate;
import dev.qnext.text.Tokenizer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** One question, or a conversation. */
@Command(
    name = "chat",
    description = "Answers a prompt; without one, in a terminal, holds a conversation.",
    mixinStandardHelpOptions = true)
final class ChatCommand implements Callable<Integer> {
  @Mixin private ModelOptions model = new ModelOptions();
  @Mixin private SamplingOptions sampling = new SamplingOptions();
  @Mixin private ReplyOptions options = new ReplyOptions();

  @Parameters(
      arity = "0..1",
      paramLabel = "PROMPT",
      description = "The question; behind standard input if that is piped. - is standard input.")
  private @Nullable String prompt;

  @Option(
      names = {"-s", "--system"},
      paramLabel = "TEXT|@FILE",
      description = "The system message.")
  private @Nullable String system;

  @Override
  public Integer call() throws InterruptedException {
    sampling.check();
    Path folder = model.path();
    Tokenizer tokenizer = Tokenizer.load(folder);
    ChatTemplate template = ChatTemplate.load(folder);
    Conversation conversation = new Conversation(tokenizer, template);
    if (system != null) {
      conversation.system(Input.textOrFile(system));
    }
    boolean talk = prompt == null && Terminal.input() && Terminal.output();
    String question = talk ? "" : Input.requiredPrompt(prompt, "prompt");
    try (Engine engine = model.open(folder)) {
      Session session = engine.newSession(engine.model().contextLimit());
      Answer answer = new Answer(engine, session, tokenizer, conversation, sampling);
      if (talk) {
        return new PlainConversation(engine, conversation, answer, options).run();
      }
      conversation.user(question);
      StringBuilder text = new StringBuilder();
      Output out = Output.standard();
      answer.give(piece -> {
        text.append(piece);
        if (!options.json()) {
          out.print(piece);
          out.flush();
        }
      });
      if (options.json()) {
        Map<String, @Nullable Object> object = new LinkedHashMap<>();
        object.put("text", text.toString());
        out.println(Json.write(options.object(object, answer.result(), answer.request())));
      } else {
        out.endLine();
      }
      out.flush();
      options.printStatistics(answer.result(), answer.request());
      return 0;
    }
  }
}
