package dev.qnext;

import dev.qnext.generate.Result;
import dev.qnext.text.ChatTemplate;
import dev.qnext.text.Tokenizer;
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
  private String knownText = "";
  private int[] knownIds = new int[0];

  public Conversation(Tokenizer tokenizer, ChatTemplate template) {
    this.tokenizer = tokenizer;
    this.template = template;
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

  public void user(String text) {
    messages.add(message("user", text));
  }

  /** Takes back the last user message that has no answer. */
  public void retract() {
    if (!messages.isEmpty() && "user".equals(messages.getLast().get("role"))) {
      messages.removeLast();
    }
  }

  /** Forgets all turns but the system message. */
  public void clear() {
    messages.removeIf(message -> !"system".equals(message.get("role")));
    knownText = "";
    knownIds = new int[0];
  }

  /** The text that the model continues. */
  public String promptText() {
    return template.apply(messages, null, true, Map.of());
  }

  /** The ids of {@link #promptText}. */
  public int[] prompt() {
    String text = promptText();
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
   * @param text what was shown of it
   */
  public void assistant(int[] prompt, String text, Result result) {
    int[] tokens = result.tokens();
    knownText = promptText() + tokenizer.decode(tokens);
    knownIds = Arrays.copyOf(prompt, prompt.length + tokens.length);
    System.arraycopy(tokens, 0, knownIds, prompt.length, tokens.length);
    messages.add(message("assistant", text));
  }

  /** One turn, as templates want it. */
  public static Map<String, @Nullable Object> message(String role, String content) {
    Map<String, @Nullable Object> message = new LinkedHashMap<>();
    message.put("role", role);
    message.put("content", content);
    return message;
  }
}
