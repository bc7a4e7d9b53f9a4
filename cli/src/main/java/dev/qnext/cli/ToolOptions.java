package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Functions that the model may call, and who runs them. */
final class ToolOptions {
  @Option(
      names = "--tools",
      paramLabel = "FILE",
      description =
          "Functions that the model may call: a JSON list of schemas, as OpenAI's API takes them.")
  private @Nullable Path file;

  @Option(
      names = "--tool-command",
      paramLabel = "CMD",
      description =
          "Runs each call: a shell command that gets {\"name\", \"arguments\"} on its standard"
              + " input and prints the result. In a terminal it asks first.")
  private @Nullable String command;

  /** The schemas; empty if there are none. */
  List<?> schemas() {
    if (file == null) {
      if (command != null) {
        throw new UsageException("--tool-command needs --tools FILE", null);
      }
      return List.of();
    }
    Object value = Json.read(file, "list of tools");
    List<?> tools =
        value instanceof Map<?, ?> map && map.get("tools") instanceof List<?> list ? list : null;
    if (value instanceof List<?> list) {
      tools = list;
    } else if (value instanceof Map<?, ?> one
        && one.containsKey("name") | one.containsKey("function")) {
      tools = List.of(one);
    }
    if (tools == null) {
      throw new QnextException("%s: a list of functions is expected".formatted(file));
    }
    for (Object tool : tools) {
      Object function =
          tool instanceof Map<?, ?> map && map.containsKey("function") ? map.get("function") : tool;
      if (!(function instanceof Map<?, ?> map) || !(map.get("name") instanceof String)) {
        throw new QnextException(
            "%s: a function has no name: %s".formatted(file, Json.write(tool)));
      }
    }
    return tools;
  }

  /** Null if calls are only printed. */
  @Nullable ToolCommand command() {
    return command == null ? null : new ToolCommand(command);
  }
}
