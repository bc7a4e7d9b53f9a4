package dev.qnext.cli;

import dev.qnext.Conversation;
import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.text.ChatTemplate;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The exact prompt that a chat becomes. */
@Command(
    name = "template",
    description = "Prints the exact prompt that a chat becomes.",
    mixinStandardHelpOptions = true)
final class TemplateCommand implements Callable<Integer> {
  @Mixin private ModelOptions model = new ModelOptions();

  @Parameters(
      arity = "0..1",
      paramLabel = "PROMPT",
      description =
          "The user's message; behind standard input if that is piped. - is standard input.")
  private @Nullable String prompt;

  @Option(
      names = {"-s", "--system"},
      paramLabel = "TEXT|@FILE",
      description = "The system message.")
  private @Nullable String system;

  @Option(
      names = "--file",
      paramLabel = "F.jinja",
      description = "Use this template instead of the model's.")
  private @Nullable Path file;

  @Option(
      names = "--jsonl",
      description =
          "For every line of template variables on standard input print {\"prompt\": ...} or {\"error\": ...}.")
  private boolean jsonl;

  @Override
  public Integer call() {
    ChatTemplate template =
        file == null
            ? ChatTemplate.load(model.path())
            : ChatTemplate.parse(Input.file(file), file.toString());
    if (jsonl) {
      TokensCommand.eachLine(line -> Map.of("prompt", template.render(variables(line))));
      return 0;
    }
    String question = Input.prompt(prompt);
    List<Map<String, @Nullable Object>> messages = new ArrayList<>();
    if (system != null) {
      messages.add(Conversation.message("system", Input.textOrFile(system)));
    }
    messages.add(Conversation.message("user", question));
    Output.standard().print(template.apply(messages, null, true, Map.of()));
    Output.standard().flush();
    return 0;
  }

  private static Map<String, @Nullable Object> variables(Object line) {
    if (!(line instanceof Map<?, ?> map)) {
      throw new QnextException(
          "a line must hold an object of variables, not %s".formatted(Json.write(line)));
    }
    Map<String, @Nullable Object> variables = new LinkedHashMap<>();
    map.forEach((key, value) -> variables.put((String) key, value));
    return variables;
  }
}
