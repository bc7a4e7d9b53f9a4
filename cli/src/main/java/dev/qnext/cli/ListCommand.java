package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The models on this machine that this program runs. */
@Command(
    name = "list",
    description = {
      "Lists the models on this machine; * marks the one that is chosen.",
      "Looked for in the folders of $QNEXT_MODELS, in ~/models, and in the cache of Hugging Face's"
          + " hub."
    },
    mixinStandardHelpOptions = true)
final class ListCommand implements Callable<Integer> {
  @Option(names = "--json", description = "Print one JSON array instead of a table.")
  private boolean json;

  @Option(names = "--names", description = "Print names only.")
  private boolean names;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli
  private CommandSpec spec;

  /** A line of the table. */
  private record Row(RunnableModel model, boolean chosen) {
    String mark() {
      return chosen ? "*" : " ";
    }

    String size() {
      return SystemChecks.bytes(model.bytes());
    }
  }

  @Override
  public Integer call() {
    Models models = Models.ofThisMachine();
    Path chosen = chosen(models);
    List<Row> rows = new ArrayList<>();
    for (Models.Named named : models.all()) {
      try {
        RunnableModel model = RunnableModel.of(named);
        if (model != null) {
          rows.add(new Row(model, isSame(model.folder(), chosen)));
        }
      } catch (QnextException e) {
        System.err.println("qnext: %s is left out: %s".formatted(named.name(), e.getMessage()));
      }
    }
    Output out = Output.standard();
    if (json) {
      out.println(Json.write(rows.stream().map(ListCommand::object).toList()));
    } else if (names) {
      rows.forEach(row -> out.println(row.model.name()));
    } else {
      print(rows, out);
    }
    out.flush();
    return 0;
  }

  private @Nullable Path chosen(Models models) {
    try {
      ConfigDefaults settings = ConfigDefaults.of(spec.commandLine());
      ModelChoice choice =
          ModelChoice.of(
              null,
              System.getenv(ModelChoice.VARIABLE),
              settings == null ? null : settings.file().get("model"));
      return choice == null ? models.demonstration() : choice.find(models).folder();
    } catch (QnextException e) {
      System.err.println("qnext: " + e.getMessage());
      return null;
    }
  }

  private static boolean isSame(Path folder, @Nullable Path chosen) {
    try {
      return chosen != null && Files.isSameFile(folder, chosen);
    } catch (IOException e) {
      return false;
    }
  }

  private static Map<String, Object> object(Row row) {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("name", row.model.name());
    object.put("format", row.model.format());
    object.put("bytes", row.model.bytes());
    object.put("folder", row.model.folder().toAbsolutePath().normalize().toString());
    object.put("chosen", row.chosen);
    return object;
  }

  /** A line each; where these are too long for the terminal, two lines each. */
  private static void print(List<Row> rows, Output out) {
    int name = 4;
    int format = 6;
    for (Row row : rows) {
      name = Math.max(name, row.model.name().length());
      format = Math.max(format, row.model.format().length());
    }
    String line = "%%s %%-%ds  %%-%ds  %%7s  %%s".formatted(name, format);
    List<String> lines =
        new ArrayList<>(List.of(line.formatted(" ", "NAME", "FORMAT", "SIZE", "FOLDER")));
    for (Row row : rows) {
      lines.add(
          line.formatted(
              row.mark(),
              row.model.name(),
              row.model.format(),
              row.size(),
              inHome(row.model.folder())));
    }
    if (!Terminal.output() || lines.stream().allMatch(l -> l.length() <= Terminal.columns())) {
      lines.forEach(out::println);
      return;
    }
    for (Row row : rows) {
      out.println(row.mark() + " " + row.model.name());
      out.println(
          "    %s, %s, %s".formatted(row.model.format(), row.size(), inHome(row.model.folder())));
    }
  }

  /** Shorter, as a shell reads it. */
  private static String inHome(Path folder) {
    Path path = folder.toAbsolutePath().normalize();
    String home = System.getenv("HOME");
    return home != null && !home.isEmpty() && path.startsWith(home) && !path.equals(Path.of(home))
        ? "~/" + Path.of(home).relativize(path)
        : path.toString();
  }
}
