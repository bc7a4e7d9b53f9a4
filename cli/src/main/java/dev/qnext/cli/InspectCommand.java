package dev.qnext.cli;

import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.json.Json;
import dev.qnext.model.Inventory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What is in a checkpoint. */
@Command(
    name = "inspect",
    description = "Tells what is in a model folder.",
    mixinStandardHelpOptions = true)
final class InspectCommand implements Callable<Integer> {
  @Mixin private ModelOptions model = new ModelOptions();

  @Option(names = "--tensors", description = "List every tensor: name, type, shape.")
  private boolean tensors;

  @Option(names = "--json", description = "Print one JSON object instead of text.")
  private boolean json;

  @Override
  public Integer call() {
    Path folder = model.path();
    Output out = Output.standard();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Inventory inventory = Inventory.of(checkpoint);
      Map<String, @Nullable Object> facts = new LinkedHashMap<>();
      facts.put("folder", folder.toAbsolutePath().normalize().toString());
      facts.put("type", checkpoint.config().text("model_type", "unknown"));
      facts.put("layout", checkpoint.converted() ? "MLX" : "Hugging Face");
      facts.putAll(inventory.facts());
      facts.put("files_bytes", checkpoint.bytes());
      facts.put("tokenizer", ModelOptions.hasTokenizer(folder));
      facts.put("chat_template", hasTemplate(folder));
      facts.put("formats", formats(inventory));
      if (json) {
        out.println(Json.write(facts));
      } else {
        facts.forEach((key, value) -> print(out, key, value));
      }
      if (tensors) {
        for (StoredTensor tensor : new TreeMap<>(checkpoint.tensors()).values()) {
          out.println("%s\t%s\t%s".formatted(tensor.name(), tensor.type(), tensor.shapeText()));
        }
      }
      out.flush();
      return 0;
    }
  }

  private static Map<String, Object> formats(Inventory inventory) {
    Map<String, Object> formats = new LinkedHashMap<>();
    inventory.bytesOfFormats().forEach((format, bytes) -> formats.put(format, bytes));
    return formats;
  }

  private static boolean hasTemplate(Path folder) {
    return Files.exists(folder.resolve("chat_template.jinja"))
        || Files.exists(folder.resolve("tokenizer_config.json"));
  }

  private static void print(Output out, String key, @Nullable Object value) {
    String label = key.replace('_', ' ');
    if (value instanceof Map<?, ?> map) {
      out.println(label + ":");
      map.forEach((name, bytes) -> out.println("  %-24s %s".formatted(name, size((Long) bytes))));
    } else if (key.endsWith("_bytes") && value instanceof Long bytes) {
      out.println("%-18s %s".formatted(label.replace(" bytes", ""), size(bytes)));
    } else {
      String text =
          value instanceof Boolean flag
              ? flag ? "yes" : "no"
              : value instanceof Number n ? "%,d".formatted(n.longValue()) : String.valueOf(value);
      out.println("%-18s %s".formatted(label, text));
    }
  }

  private static String size(long bytes) {
    return bytes < 100_000_000
        ? String.format(Locale.ROOT, "%.2f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }
}
