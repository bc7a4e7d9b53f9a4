package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.machine.ConfigFolder;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A prompt with a name: a text file NAME.md of the user's config folder, or one that comes with
 * qnext. Parameters stand in it as {@code {{name}}}; {@code {{input}}} is what is piped in or
 * given, which otherwise goes before the text. Lines {@code name: value} between two lines of
 * {@code ---} at its top give parameters their defaults; {@code system} is the system message.
 */
record SavedPrompt(String text, Map<String, String> defaults) {
  private static final String RULE = "---";
  private static final String SYSTEM = "system";
  private static final String INPUT = "input";

  /** The system message, if it has one. */
  @Nullable String system() {
    return defaults.get(SYSTEM);
  }

  static SavedPrompt load(String name) {
    for (Path folder : folders()) {
      Path file = folder.resolve(fileName(name));
      if (Files.exists(file)) {
        return parse(Input.file(file), file);
      }
    }
    throw new QnextException(
        "there is no saved prompt \"%s\"; there are: %s (--save makes one)"
            .formatted(name, String.join(", ", names())));
  }

  /** The user's own win. */
  private static List<Path> folders() {
    List<Path> folders = new ArrayList<>();
    Path own = ownFolder();
    if (own != null) {
      folders.add(own);
    }
    folders.add(Path.of(System.getProperty("qnext.home", "."), "prompts"));
    return folders;
  }

  private static @Nullable Path ownFolder() {
    Path config = ConfigFolder.path();
    return config == null ? null : config.resolve("prompts");
  }

  private static String fileName(String name) {
    return OwnFile.requireName(name, "prompt") + ".md";
  }

  static TreeSet<String> names() {
    TreeSet<String> names = new TreeSet<>();
    for (Path folder : folders()) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.md")) {
        for (Path file : files) {
          String name = String.valueOf(file.getFileName());
          names.add(name.substring(0, name.length() - 3));
        }
      } catch (IOException e) {
        // A folder that is not there holds no prompts.
      }
    }
    return names;
  }

  static SavedPrompt parse(String source, Path file) {
    Map<String, String> defaults = new LinkedHashMap<>();
    List<String> lines = source.lines().toList();
    if (lines.isEmpty() || !lines.getFirst().strip().equals(RULE)) {
      return new SavedPrompt(source.strip(), defaults);
    }
    int i = 1;
    for (; i < lines.size() && !lines.get(i).strip().equals(RULE); i++) {
      String line = lines.get(i).strip();
      int colon = line.indexOf(':');
      if (line.isEmpty()) {
        continue;
      }
      if (colon <= 0) {
        throw new QnextException(
            "%s, line %d: \"%s\" is not \"name: value\"".formatted(file, i + 1, line));
      }
      defaults.put(
          line.substring(0, colon).strip(), line.substring(colon + 1).strip().replace("\\n", "\n"));
    }
    if (i == lines.size()) {
      throw new QnextException("%s: the \"---\" behind its defaults is missing".formatted(file));
    }
    return new SavedPrompt(String.join("\n", lines.subList(i + 1, lines.size())).strip(), defaults);
  }

  /** Writes it into the user's folder; returns the file. */
  Path save(String name) {
    String fileName = fileName(name);
    Path folder = ownFolder();
    if (folder == null) {
      throw new QnextException(
          "there is no place for saved prompts: set HOME or XDG_CONFIG_HOME to a folder");
    }
    StringBuilder source = new StringBuilder();
    if (!defaults.isEmpty()) {
      source.append(RULE).append('\n');
      defaults.forEach((key, value) ->
          source.append(key).append(": ").append(value.replace("\n", "\\n")).append('\n'));
      source.append(RULE).append('\n');
    }
    source.append(text).append('\n');
    Path file = folder.resolve(fileName);
    OwnFile.write(file, source.toString());
    return file;
  }

  /**
   * The prompt.
   *
   * @param given parameters, which win over defaults
   * @param input what was piped in or given; may be empty
   */
  String fill(Map<String, String> given, String input) {
    StringBuilder filled = new StringBuilder();
    boolean usesInput = false;
    int from = 0;
    for (int at; (at = text.indexOf("{{", from)) >= 0; ) {
      int end = text.indexOf("}}", at);
      String name = end < 0 ? "" : text.substring(at + 2, end).strip();
      if (!isName(name)) {
        filled.append(text, from, at + 2);
        from = at + 2;
        continue;
      }
      usesInput |= name.equals(INPUT);
      filled.append(text, from, at).append(value(name, given, input));
      from = end + 2;
    }
    filled.append(text, from, text.length());
    return usesInput || input.isBlank()
        ? filled.toString()
        : input.stripTrailing() + "\n\n" + filled;
  }

  private String value(String name, Map<String, String> given, String input) {
    String value = given.getOrDefault(name, defaults.get(name));
    if (value != null) {
      return value;
    }
    if (name.equals(INPUT)) {
      return input;
    }
    throw new UsageException("the saved prompt needs a value: -p %s VALUE".formatted(name), null);
  }

  private static boolean isName(String name) {
    return !name.isEmpty()
        && name.chars().allMatch(c -> Character.isLetterOrDigit(c) || c == '_' || c == '-');
  }
}
