package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.machine.ConfigFolder;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A conversation as a file, a line of JSON for each message: role and content, and what else
 * templates take. They lie in "conversations" of the user's config folder: those with a name under
 * it, the others under the time at which they began, so that the newest is the last by name.
 */
final class ConversationFile {
  private static final String ENDING = ".jsonl";
  private static final String BY_TIME = "\\d{4}-\\d\\d-\\d\\dT.*Z-\\d+\\.jsonl";

  private ConversationFile() {}

  /** Null where there is no place for files. */
  private static @Nullable Path folder() {
    Path config = ConfigFolder.path();
    return config == null ? null : config.resolve("conversations");
  }

  private static Path requiredFolder() {
    Path folder = folder();
    if (folder == null) {
      throw new QnextException(
          "there is no place for conversations: set HOME or XDG_CONFIG_HOME to a folder");
    }
    return folder;
  }

  /** For a conversation that begins now; null where there is no place for files. */
  static @Nullable Path fresh() {
    Path folder = folder();
    String time = Instant.now().truncatedTo(ChronoUnit.MILLIS).toString().replace(':', '-');
    return folder == null
        ? null
        : folder.resolve("%s-%d%s".formatted(time, ProcessHandle.current().pid(), ENDING));
  }

  /** The file of a saved conversation. */
  static Path named(String name) {
    return requiredFolder().resolve(OwnFile.requireName(name, "conversation") + ENDING);
  }

  /** Names of all saved conversations, in order. */
  static List<String> names() {
    List<String> names = new ArrayList<>();
    Path folder = folder();
    if (folder != null) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*" + ENDING)) {
        for (Path file : files) {
          String name = String.valueOf(file.getFileName());
          if (!name.matches(BY_TIME)) {
            names.add(name.substring(0, name.length() - ENDING.length()));
          }
        }
      } catch (IOException e) {
        // No folder, no conversations.
      }
    }
    names.sort(null);
    return names;
  }

  /** The one that was begun last, of those without a name. */
  static Path newest() {
    Path newest = null;
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(requiredFolder(), "[0-9][0-9][0-9][0-9]-*T*Z-*" + ENDING)) {
      for (Path file : files) {
        newest = newest == null || file.compareTo(newest) > 0 ? file : newest;
      }
    } catch (IOException e) {
      // No folder, no conversation.
    }
    if (newest == null) {
      throw new QnextException("there is no earlier conversation to go on with");
    }
    return newest;
  }

  static void write(Path file, List<? extends Map<String, @Nullable Object>> messages) {
    StringBuilder lines = new StringBuilder();
    messages.forEach(message -> lines.append(Json.write(message)).append('\n'));
    OwnFile.write(file, lines.toString());
  }

  static List<Map<String, @Nullable Object>> read(Path file) {
    return parse(Input.file(file), file);
  }

  static List<Map<String, @Nullable Object>> parse(String text, Path file) {
    List<Map<String, @Nullable Object>> messages = new ArrayList<>();
    int number = 0;
    for (String line : text.lines().toList()) {
      number++;
      if (!line.isBlank()) {
        messages.add(message(line, "%s, line %d".formatted(file, number)));
      }
    }
    return messages;
  }

  private static Map<String, @Nullable Object> message(String line, String where) {
    if (!(Json.parse(line, where) instanceof Map<?, ?> map)
        || !(map.get("role") instanceof String)
        || !(map.get("content") instanceof String)) {
      throw new QnextException("%s: a message must have a role and a content".formatted(where));
    }
    Map<String, @Nullable Object> message = new LinkedHashMap<>();
    map.forEach((key, value) -> message.put(String.valueOf(key), value));
    return message;
  }
}
