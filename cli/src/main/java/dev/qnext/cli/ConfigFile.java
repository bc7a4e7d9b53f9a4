package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.machine.ConfigFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The user's settings: the file {@code config} of {@link ConfigFolder}, in UTF-8.
 *
 * <pre>
 * # a comment; # elsewhere is part of a value
 * temp = 0.7            for every command with the option --temp
 * chat.temp = 1         for chat alone, before the line above
 * stop = "\n\n"         in double quotes as in JSON; blanks at the ends are else no part of it
 * </pre>
 *
 * <p>A line that does not read like this is passed over with a complaint; so is the earlier of two
 * lines with the same key. Knows no options.
 */
final class ConfigFile {
  private static final String NAME = "config";

  private final Path file;
  private final List<String> lines;
  private final Map<String, Setting> settings = new LinkedHashMap<>();
  private final List<String> complaints = new ArrayList<>();

  /**
   * @param key an option's long name without dashes, perhaps behind a command and a point
   * @param line counted from 1
   */
  record Setting(String key, String value, Path file, int line) {
    /** For messages: "FILE, line 3". */
    String place() {
      return "%s, line %d".formatted(file, line);
    }
  }

  private ConfigFile(Path file, String text) {
    this.file = file;
    this.lines = List.of(text.split("\n", -1));
    for (int i = 0; i < lines.size(); i++) {
      read(lines.get(i), i + 1);
    }
  }

  static ConfigFile parse(Path file, String text) {
    return new ConfigFile(file, text.startsWith("\ufeff") ? text.substring(1) : text);
  }

  /** The user's; null where there is none. */
  static @Nullable ConfigFile ofUser() {
    Path folder = ConfigFolder.path();
    Path file = folder == null ? null : folder.resolve(NAME);
    return file != null && Files.exists(file) ? read(file) : null;
  }

  /** The user's, to be changed; without settings where there is none yet. */
  static ConfigFile ofUserToChange() {
    Path folder = ConfigFolder.path();
    if (folder == null) {
      throw new QnextException("there is no place for settings; set HOME or XDG_CONFIG_HOME");
    }
    Path file = folder.resolve(NAME);
    return Files.exists(file) ? read(file) : parse(file, "");
  }

  private static ConfigFile read(Path file) {
    return parse(file, Input.file(file));
  }

  private void read(String text, int number) {
    String line = text.strip();
    if (line.isEmpty() || line.startsWith("#")) {
      return;
    }
    int equals = line.indexOf('=');
    String key = equals < 0 ? "" : line.substring(0, equals).strip();
    if (key.isEmpty()) {
      complain(number, "\"%s\" is no setting; write key = value".formatted(line));
      return;
    }
    String value = line.substring(equals + 1).strip();
    if (value.startsWith("\"")) {
      try {
        value = String.valueOf(Json.parse(value, "the value"));
      } catch (QnextException e) {
        complain(
            number,
            "the value of %s begins with a quotation mark but is no string as in JSON"
                .formatted(key));
        return;
      }
    }
    Setting earlier = settings.put(key, new Setting(key, value, file, number));
    if (earlier != null) {
      complain(number, "%s stands in line %d too; this line counts".formatted(key, earlier.line()));
    }
  }

  private void complain(int number, String what) {
    complaints.add("%s, line %d: %s".formatted(file, number, what));
  }

  Path file() {
    return file;
  }

  Collection<Setting> settings() {
    return settings.values();
  }

  /** What could not be read, a sentence each. */
  List<String> complaints() {
    return complaints;
  }

  /** What a command gets for an option's long name without dashes. */
  @Nullable Setting get(String command, String name) {
    Setting own = settings.get(command + "." + name);
    return own != null ? own : settings.get(name);
  }

  /** What all commands get. */
  @Nullable Setting get(String name) {
    return settings.get(name);
  }

  /**
   * Sets a key for all commands, or removes it, in the file. Its other lines stay as they are.
   *
   * @param value null to remove the key
   */
  void change(String key, @Nullable String value) {
    OwnFile.write(file, with(key, value));
  }

  /** The file's text with this key at this value, or without it. */
  String with(String key, @Nullable String value) {
    List<String> changed = new ArrayList<>();
    boolean written = value == null;
    for (String line : lines) {
      if (!keyOf(line).equals(key)) {
        changed.add(line);
      } else if (!written && value != null) {
        changed.add(key + " = " + quoted(value));
        written = true;
      }
    }
    if (!written && value != null) {
      int end = changed.size();
      boolean endsInLine = changed.getLast().isEmpty();
      changed.add(endsInLine ? end - 1 : end, key + " = " + quoted(value));
      if (!endsInLine) {
        changed.add("");
      }
    }
    return String.join("\n", changed);
  }

  /** Empty where the line sets nothing. */
  private static String keyOf(String text) {
    String line = text.strip();
    int equals = line.indexOf('=');
    return equals < 0 || line.startsWith("#") ? "" : line.substring(0, equals).strip();
  }

  private static String quoted(String value) {
    boolean plain = value.equals(value.strip()) && !value.startsWith("\"");
    for (int i = 0; i < value.length(); i++) {
      plain &= value.charAt(i) >= ' ';
    }
    return plain ? value : Json.write(value);
  }
}
