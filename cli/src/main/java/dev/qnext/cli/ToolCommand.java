package dev.qnext.cli;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.text.ToolCall;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A user's program that runs the calls of a model: the call on its standard input, the result on
 * its output.
 */
final class ToolCommand {
  private final String command;
  private boolean always;

  ToolCommand(String command) {
    this.command = command;
  }

  /**
   * The result, for the model; also if the program fails, or may not run.
   *
   * @param ask puts a question and returns the answer; null to run without asking
   */
  String run(ToolCall call, @Nullable UnaryOperator<String> ask) throws InterruptedException {
    String request = Json.write(call.toMap());
    if (ask != null && !always) {
      String word =
          ask.apply("run %s with %s? [y]es, [n]o, [a]lways ".formatted(command, request)).strip();
      always = word.startsWith("a") || word.startsWith("A");
      if (!always && !word.startsWith("y") && !word.startsWith("Y")) {
        return Json.write(Map.of("error", "the user did not allow this call"));
      }
    }
    Process process;
    try {
      process =
          new ProcessBuilder("sh", "-c", command)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
    } catch (IOException e) {
      throw new QnextException("cannot run \"%s\": %s".formatted(command, e.getMessage()), e);
    }
    try (OutputStream in = process.getOutputStream()) {
      in.write((request + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // A program that does not read its input may still answer.
    }
    try {
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      int exit = process.waitFor();
      return exit == 0 ? output.stripTrailing() : failed(exit, output.stripTrailing());
    } catch (IOException e) {
      throw new QnextException(
          "cannot read what \"%s\" prints: %s".formatted(command, e.getMessage()), e);
    } finally {
      process.destroy();
    }
  }

  private static String failed(int exit, String output) {
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("error", "exit code " + exit);
    result.put("output", output);
    return Json.write(result);
  }
}
