package dev.qnext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.TextFolder;
import dev.qnext.generate.Result;
import dev.qnext.text.ChatTemplate;
import dev.qnext.text.ReplyPart;
import dev.qnext.text.ReplySplitter;
import dev.qnext.text.Tokenizer;
import dev.qnext.text.ToolCall;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A reply that calls a tool, taken apart and put back by the models' own templates: the next prompt
 * must begin with the very text that the model wrote, or all would be read again.
 */
class ConversationToolsTest {
  private static final List<?> TOOLS =
      List.of(
          Map.of(
              "type",
              "function",
              "function",
              Map.of(
                  "name",
                  "add",
                  "description",
                  "Adds.",
                  "parameters",
                  Map.of(
                      "type",
                      "object",
                      "properties",
                      Map.of("a", Map.of("type", "integer"), "b", Map.of("type", "string"))))));

  private static final String OBJECT =
      "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 2, \"b\": \"\u00fc\"}}\n</tool_call>";
  private static final String TAGS =
      "<tool_call>\n<function=add>\n<parameter=a>\n2\n</parameter>\n<parameter=b>\n\u00fc\n</parameter>\n"
          + "</function>\n</tool_call>";

  @TempDir private static Path temp;

  @ParameterizedTest
  @CsvSource({
    "Qwen3-Next-80B-A3B-Instruct, '', object",
    "Qwen3-Next-80B-A3B-Instruct, 'Let me see.\n', object",
    "Qwen3-Next-80B-A3B-Thinking, 'Hm, a sum.\n</think>\n\n', object",
    "Qwen3-Next-80B-A3B-Thinking, 'Hm, a sum.\n</think>\n\nLet me see.\n', object",
    "Qwen3-Coder-Next, 'Let me see.\n\n', tags",
  })
  void theNextPromptBeginsWithTheReply(String name, String before, String form) throws IOException {
    Path file = Golden.shared("templates/%s.jinja".formatted(name));
    assumeTrue(Files.exists(file), "needs ../shared");
    Path tokens = temp.resolve("tokenizer.json");
    Files.writeString(tokens, TextFolder.tokenizer());
    Tokenizer tokenizer = Tokenizer.load(tokens);
    Conversation conversation =
        new Conversation(tokenizer, ChatTemplate.parse(Files.readString(file), name));
    conversation.tools(TOOLS);
    conversation.user("2 + 3?");
    String promptText = conversation.promptText();
    int[] prompt = conversation.prompt();
    String written = before + (form.equals("object") ? OBJECT : TAGS);

    Reply reply =
        reply(written, Conversation.opensThought(promptText), tokenizer.encode(written), prompt);
    assertThat(reply.calls()).containsExactly(new ToolCall("add", Map.of("a", 2L, "b", "\u00fc")));
    conversation.assistant(prompt, reply);
    conversation.toolResult("add", "5");

    assertThat(conversation.promptText()).startsWith(promptText + written + "<|im_end|>");
    int[] next = conversation.prompt();
    int[] read = new int[prompt.length + reply.result().tokens().length];
    System.arraycopy(prompt, 0, read, 0, prompt.length);
    System.arraycopy(reply.result().tokens(), 0, read, prompt.length, read.length - prompt.length);
    assertThat(next).startsWith(read);
  }

  private static Reply reply(String written, boolean thinks, int[] tokens, int[] prompt) {
    StringBuilder thought = new StringBuilder();
    StringBuilder text = new StringBuilder();
    List<ToolCall> calls = new ArrayList<>();
    ReplySplitter splitter = new ReplySplitter(thinks, true);
    List<ReplyPart> parts = new ArrayList<>(splitter.accept(written));
    parts.addAll(splitter.finish());
    for (ReplyPart part : parts) {
      switch (part.kind()) {
        case THOUGHT -> thought.append(part.text());
        case ANSWER -> text.append(part.text());
        case CALL ->
            calls.add(java.util.Objects.requireNonNull(ToolCall.parse(part.text(), TOOLS)));
      }
    }
    return new Reply(
        thought.toString(),
        text.toString(),
        calls,
        new Result(tokens, Result.End.STOP_ID, prompt.length, 0, prompt.length, 1, 1));
  }
}
