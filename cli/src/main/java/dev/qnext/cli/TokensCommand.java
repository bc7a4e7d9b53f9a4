package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.text.Tokenizer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Text to token ids and back. */
@Command(
    name = "tokens",
    description =
        "Turns text into token ids, or ids into text. A folder with only tokenizer.json will do.",
    mixinStandardHelpOptions = true)
final class TokensCommand implements Callable<Integer> {
  @Mixin private ModelOptions model = new ModelOptions();

  @Parameters(
      arity = "0..1",
      paramLabel = "TEXT",
      description = "The text; behind standard input if that is piped. - is standard input.")
  private @Nullable String text;

  @Option(
      names = "--ids",
      arity = "0..*",
      paramLabel = "ID",
      description = "Print the text of these ids (or of those on standard input).")
  private @Nullable List<String> ids;

  @Option(names = "--ordinary", description = "Take the names of special tokens as plain text.")
  private boolean ordinary;

  @Option(names = "--skip-special", description = "Leave special tokens out of the text.")
  private boolean skipSpecial;

  @Option(
      names = "--jsonl",
      description =
          "For every line {\"text\": ...} on standard input print {\"ids\": [...]}, for {\"ids\": [...]} the text.")
  private boolean jsonl;

  @Override
  public Integer call() {
    Tokenizer tokenizer = Tokenizer.load(model.path());
    Output out = Output.standard();
    if (jsonl) {
      eachLine(line -> line(tokenizer, line));
    } else if (ids != null) {
      out.print(tokenizer.decode(Ids.of(ids), skipSpecial));
      out.endLine();
    } else {
      StringBuilder list = new StringBuilder();
      for (int id : encode(tokenizer, Input.prompt(text))) {
        list.append(list.isEmpty() ? "" : " ").append(id);
      }
      out.println(list.toString());
    }
    out.flush();
    return 0;
  }

  private int[] encode(Tokenizer tokenizer, String given) {
    return ordinary ? tokenizer.encodeOrdinary(given) : tokenizer.encode(given);
  }

  private Map<String, Object> line(Tokenizer tokenizer, Object line) {
    Map<?, ?> object = line instanceof Map<?, ?> map ? map : Map.of();
    if (object.get("text") instanceof String given) {
      return Map.of("ids", encode(tokenizer, given));
    }
    if (object.get("ids") instanceof List<?> list) {
      int[] given = Ids.parse(Json.write(list));
      return Map.of("text", tokenizer.decode(given, skipSpecial));
    }
    throw new QnextException("a line must hold a string \"text\" or a list \"ids\"");
  }

  /**
   * Answers every line of JSON on standard input by a line of JSON; a line that fails is answered
   * by its error.
   */
  static void eachLine(Function<Object, Map<String, Object>> answer) {
    Output out = Output.standard();
    Input.eachLine(line -> {
      if (line.isBlank()) {
        return;
      }
      Map<String, Object> result;
      try {
        Object value = Json.parse(line, "the line");
        result = answer.apply(value == null ? Map.of() : value);
      } catch (QnextException e) {
        result = Map.of("error", String.valueOf(e.getMessage()));
      }
      out.println(Json.write(result));
      out.flush();
    });
  }
}
