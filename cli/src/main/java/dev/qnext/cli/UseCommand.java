package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.model.LanguageModel;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Remembers a model in the user's settings, and tells which one is chosen. */
@Command(
    name = "use",
    description = "Remembers a model for all commands; without one, tells which is chosen.",
    mixinStandardHelpOptions = true)
final class UseCommand implements Callable<Integer> {
  private static final String KEY = "model";

  @Parameters(
      arity = "0..1",
      paramLabel = "MODEL",
      description = "A name that 'qnext list' shows, or a model folder.")
  private @Nullable String model;

  @Option(names = "--none", description = "Forget the model that is remembered.")
  private boolean none;

  @Override
  public Integer call() {
    if (none && model != null) {
      throw new UsageException("--none and a model exclude each other", null);
    }
    if (none) {
      forget();
    } else if (model == null) {
      show();
    } else {
      remember(model);
    }
    Output.standard().flush();
    return 0;
  }

  private static void show() {
    Models models = Models.ofThisMachine();
    ConfigFile file = ConfigFile.ofUser();
    ModelChoice choice =
        ModelChoice.of(
            null, System.getenv(ModelChoice.VARIABLE), file == null ? null : file.get(KEY));
    if (choice != null) {
      print(choice.find(models), String.valueOf(choice.place()));
      return;
    }
    Path demonstration = models.demonstration();
    if (demonstration == null) {
      throw new QnextException("no model is chosen; 'qnext use MODEL' remembers one");
    }
    print(
        new Models.Named(Models.DEMONSTRATION, demonstration),
        "nobody: it is the bundled demonstration");
  }

  private static void print(Models.Named model, String place) {
    Output out = Output.standard();
    out.println("model      " + model.name());
    out.println("folder     " + model.folder().toAbsolutePath().normalize());
    out.println("chosen by  " + place);
  }

  private static void remember(String given) {
    Models.Named found = Models.ofThisMachine().find(given);
    requireRunnable(found.folder());
    ConfigFile file = ConfigFile.ofUserToChange();
    file.change(KEY, found.name());
    Output.standard().println("from now on %s, in %s".formatted(found.name(), file.file()));
    warnOfVariable();
  }

  private static void requireRunnable(Path folder) {
    LanguageModel.requireSupported(Config.read(folder.resolve("config.json")));
    Checkpoint.look(folder);
  }

  private static void forget() {
    ConfigFile file = ConfigFile.ofUser();
    ConfigFile.Setting setting = file == null ? null : file.get(KEY);
    if (file == null || setting == null) {
      System.err.println("qnext: no model is remembered");
    } else {
      file.change(KEY, null);
      Output.standard().println("no longer %s, in %s".formatted(setting.value(), file.file()));
    }
    warnOfVariable();
  }

  private static void warnOfVariable() {
    String variable = System.getenv(ModelChoice.VARIABLE);
    if (variable != null && !variable.isEmpty()) {
      System.err.printf(
          "qnext: %s=%s is set and comes before it%n", ModelChoice.VARIABLE, variable);
    }
  }
}
