package dev.qnext;

import dev.qnext.text.ChatTemplate;
import dev.qnext.text.Tokenizer;
import dev.qnext.text.ToolCall;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The turns of a chat, and their token ids. It keeps the ids that were generated rather than
 * tokenizing their text again, so that the next prompt begins with what the session has read; where
 * the template rewrites earlier turns, the prompt is tokenized anew.
 */
public final class Conversation {
  private final Tokenizer tokenizer;
  private final ChatTemplate template;
  private final List<Map<String, @Nullable Object>> messages = new ArrayList<>();
  private List<?> tools = List.of();
  private String knownText = "";
  private int[] knownIds = new int[0];

  public Conversation(Tokenizer tokenizer, ChatTemplate template) {
    this.tokenizer = tokenizer;
    this.template = template;
  }

  public Tokenizer tokenizer() {
    return tokenizer;
  }

  public List<Map<String, @Nullable Object>> messages() {
    return Collections.unmodifiableList(messages);
  }

  /** Puts a system message before all others, in place of an earlier one; empty text removes it. */
  public void system(String text) {
    if (!messages.isEmpty() && "system".equals(messages.getFirst().get("role"))) {
      messages.removeFirst();
    }
    if (!text.isEmpty()) {
      messages.addFirst(message("system", text));
    }
  }

  /** The system message; empty if there is none. */
  public String system() {
    return !messages.isEmpty() && "system".equals(messages.getFirst().get("role"))
        ? String.valueOf(messages.getFirst().get("content"))
        : "";
  }

  /** Functions that the model may ask for: JSON schemas, as templates take them. */
  public void tools(List<?> schemas) {
    tools = List.copyOf(schemas);
  }

  public List<?> tools() {
    return tools;
  }

  public void user(String text) {
    messages.add(message("user", text));
  }

  /** What a function that the last answer asked for has returned. */
  public void toolResult(String name, String content) {
    Map<String, @Nullable Object> message = message("tool", content);
    message.put("name", name);
    messages.add(message);
  }

  /** Goes on from these turns instead of what was said so far. */
  public void replace(List<? extends Map<String, @Nullable Object>> turns) {
    messages.clear();
    messages.addAll(turns);
  }

  /** Takes back the last user message and all that followed; null if there is none. */
  public @Nullable String undo() {
    for (int i = messages.size() - 1; i >= 0; i--) {
      if ("user".equals(messages.get(i).get("role"))) {
        String text = String.valueOf(messages.get(i).get("content"));
        messages.subList(i, messages.size()).clear();
        return text;
      }
    }
    return null;
  }

  /** Forgets all turns but the system message. */
  public void clear() {
    messages.removeIf(message -> !"system".equals(message.get("role")));
    knownText = "";
    knownIds = new int[0];
  }

  /** The text that the model continues. */
  public String promptText() {
    return template.apply(messages, tools.isEmpty() ? null : tools, true, Map.of());
  }

  /** Whether a prompt ends inside a thought, which the template of a thinking model opens. */
  public static boolean opensThought(String promptText) {
    return promptText.stripTrailing().endsWith("<think>");
  }

  /** The ids of {@link #promptText}. */
  public int[] prompt() {
    return prompt(promptText());
  }

  /**
   * The same for who has the text already.
   *
   * @param text of {@link #promptText}
   */
  public int[] prompt(String text) {
    if (!knownText.isEmpty() && text.startsWith(knownText)) {
      int[] rest = tokenizer.encode(text.substring(knownText.length()));
      int[] ids = Arrays.copyOf(knownIds, knownIds.length + rest.length);
      System.arraycopy(rest, 0, ids, knownIds.length, rest.length);
      return ids;
    }
    return tokenizer.encode(text);
  }

  /**
   * Adds the model's answer.
   *
   * @param prompt the ids that it answered
   */
  public void assistant(int[] prompt, Reply reply) {
    int[] tokens = reply.result().tokens();
    knownText = promptText() + tokenizer.decode(tokens);
    knownIds = Arrays.copyOf(prompt, prompt.length + tokens.length);
    System.arraycopy(tokens, 0, knownIds, prompt.length, tokens.length);
    Map<String, @Nullable Object> message = message("assistant", reply.text());
    if (!reply.thought().isEmpty()) {
      message.put("reasoning_content", reply.thought());
    }
    if (!reply.calls().isEmpty()) {
      List<Object> calls = new ArrayList<>();
      for (ToolCall call : reply.calls()) {
        Map<String, Object> one = new LinkedHashMap<>();
        one.put("type", "function");
        one.put("function", call.toMap());
        calls.add(one);
      }
      message.put("tool_calls", calls);
    }
    messages.add(message);
  }

  /** One turn, as templates want it. */
  public static Map<String, @Nullable Object> message(String role, String content) {
    Map<String, @Nullable Object> message = new LinkedHashMap<>();
    message.put("role", role);
    message.put("content", content);
    return message;
  }
}
