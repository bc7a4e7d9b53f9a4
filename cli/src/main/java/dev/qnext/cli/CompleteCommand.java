package dev.qnext.cli;

import dev.qnext.Engine;
import dev.qnext.Generation;
import dev.qnext.generate.Request;
import dev.qnext.generate.Session;
import dev.qnext.json.Json;
import dev.qnext.text.TextStream;
import dev.qnext.text.Tokenizer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Raw continuation of a text or of token ids. */
@Command(
    name = "complete",
    description = "Continues a text as it is, without a chat template.",
    mixinStandardHelpOptions = true)
final class CompleteCommand implements Callable<Integer> {
  private static final int MAX_TOKENS = 256;

  @Mixin private ModelOptions model = new ModelOptions();
  @Mixin private SamplingOptions sampling = new SamplingOptions();
  @Mixin private StatisticsOptions statistics = new StatisticsOptions();

  @Parameters(
      arity = "0..1",
      paramLabel = "PROMPT",
      description =
          "The text to continue; behind standard input if that is piped. - is standard input.")
  private @Nullable String prompt;

  @Option(
      names = "--ids",
      arity = "0..*",
      paramLabel = "ID",
      description = "Continue these token ids (or those on standard input). Needs no tokenizer.")
  private @Nullable List<String> ids;

  @Option(names = "--json", description = "Print one JSON object at the end instead of text.")
  private boolean json;

  @Option(names = "--print-ids", description = "Print the new token ids instead of text.")
  private boolean printIds;

  @Override
  public Integer call() throws InterruptedException {
    sampling.check();
    Path folder = model.path();
    boolean text = ids == null || !printIds && ModelOptions.hasTokenizer(folder);
    Tokenizer tokenizer = text || !sampling.stop().isEmpty() ? Tokenizer.load(folder) : null;
    int[] given =
        ids != null
            ? Ids.of(ids)
            : java.util.Objects.requireNonNull(tokenizer)
                .encode(Input.requiredPrompt(prompt, "text to continue"));
    try (Engine engine = model.open(folder)) {
      Request request = sampling.request(given, engine.checkpoint(), MAX_TOKENS);
      TextStream stream = tokenizer == null ? null : new TextStream(tokenizer, sampling.stop());
      Session session = engine.newSession(engine.model().contextLimit());
      Generation generation = engine.generate(session, request, stream);
      StringBuilder all = new StringBuilder();
      Output out = Output.standard();
      String space = "";
      for (Generation.Token token; (token = generation.next()) != null; ) {
        String piece = token.text();
        if (printIds || !text) {
          piece = token.id() < 0 ? "" : space + token.id();
          space = " ";
        }
        all.append(piece);
        if (!json) {
          out.print(piece);
          out.flush();
        }
      }
      if (json) {
        Map<String, @Nullable Object> object = new LinkedHashMap<>();
        object.put("text", text && !printIds ? all.toString() : null);
        out.println(Json.write(Statistics.addTo(object, generation.result(), request)));
      } else {
        out.endLine();
      }
      out.flush();
      statistics.print(generation.result(), request);
      return 0;
    }
  }
}
