package dev.qnext.cli;

import dev.qnext.QnextException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What a prompt is made of: files, standard input, a saved prompt or the argument. */
final class PromptOptions {
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

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "Put a file before the prompt, under its name; may be repeated.")
  private List<Path> files = List.of();

  @Option(
      names = {"-t", "--template"},
      paramLabel = "NAME",
      description = "Use a saved prompt.")
  private @Nullable String template;

  @Option(
      names = {"-p", "--param"},
      arity = "2",
      hideParamSyntax = true,
      paramLabel = "NAME VALUE",
      description = "A value of the saved prompt; may be repeated.")
  private List<String> parameters = List.of();

  @Option(
      names = "--save",
      paramLabel = "NAME",
      description = "Save the prompt, --system and -p values under a name instead of answering.")
  private @Nullable String save;

  /** The saved prompt that was asked for; null if none was. */
  private @Nullable SavedPrompt saved() {
    return template == null ? null : SavedPrompt.load(template);
  }

  /** Whether there is something to answer without asking the user. */
  boolean given() {
    return prompt != null || template != null;
  }

  /** The system message; null if none was given. */
  @Nullable String system() {
    SavedPrompt saved = saved();
    return system != null ? Input.textOrFile(system) : saved == null ? null : saved.system();
  }

  /** Files and standard input, a blank line, the saved prompt or the argument. */
  String text() {
    SavedPrompt saved = saved();
    String text;
    if (saved == null) {
      text = files.isEmpty() ? Input.requiredPrompt(prompt, "prompt") : Input.prompt(prompt);
    } else {
      text = saved.fill(values(), Input.prompt(prompt == null ? "" : prompt));
    }
    return attachments() + text;
  }

  /** The files alone, each with a blank line behind it. */
  String attachments() {
    StringBuilder all = new StringBuilder();
    files.forEach(file -> all.append(attachment(file)).append("\n\n"));
    return all.toString();
  }

  /** A file as a model reads it: its name and a fenced block, whose fence does not occur in it. */
  static String attachment(Path file) {
    String content = Input.file(file).stripTrailing();
    String fence = "```";
    while (content.contains(fence)) {
      fence += "`";
    }
    return "%s:\n%s\n%s\n%s".formatted(file.getFileName(), fence, content, fence);
  }

  private Map<String, String> values() {
    Map<String, String> values = new LinkedHashMap<>();
    for (int i = 0; i + 1 < parameters.size(); i += 2) {
      values.put(parameters.get(i), parameters.get(i + 1));
    }
    return values;
  }

  /** Saves the prompt if that was asked for; returns the file. */
  @Nullable Path save() {
    if (save == null) {
      return null;
    }
    if (prompt == null && system == null) {
      throw new UsageException("--save needs a prompt or --system", null);
    }
    Map<String, String> defaults = values();
    if (system != null) {
      defaults.put("system", Input.textOrFile(system));
    }
    if (prompt != null && prompt.equals("-")) {
      throw new QnextException("--save takes its prompt from the argument");
    }
    return new SavedPrompt(prompt == null ? "" : prompt, defaults).save(save);
  }
}
