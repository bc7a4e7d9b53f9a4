package dev.qnext.text;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import dev.qnext.text.jinja.Template;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Turns a chat into the text that the model was trained to continue, by the model's own template.
 *
 * <p>{@link #apply} does what transformers' {@code apply_chat_template} does; {@link #render} is
 * the template alone. Failures are {@link QnextException}s; those of the template itself are {@link
 * dev.qnext.text.jinja.TemplateException}s, which name the line.
 */
public final class ChatTemplate {
  private static final String[] SPECIAL_TOKENS = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"
  };

  /** In the order in which they count: the standard name first. */
  private static final String[] REASONING = {"reasoning_content", "thinking", "reasoning"};

  private final Template template;
  private final @Nullable Template toolUse;
  private final Map<String, @Nullable Object> specialTokens;

  /** Null for the system's: java.time and its zones are slow to load, and few templates need it. */
  private final @Nullable Clock clock;

  private ChatTemplate(
      Template template,
      @Nullable Template toolUse,
      Map<String, @Nullable Object> specialTokens,
      @Nullable Clock clock) {
    this.template = template;
    this.toolUse = toolUse;
    this.specialTokens = specialTokens;
    this.clock = clock;
  }

  /**
   * The template of a model folder: {@code chat_template.jinja}, else {@code chat_template.json},
   * else {@code tokenizer_config.json}. The last two hold one template or a list of named ones:
   * "default", and "tool_use" for chats with tools.
   */
  public static ChatTemplate load(Path modelFolder) {
    Path tokenizer = modelFolder.resolve("tokenizer_config.json");
    Map<String, @Nullable Object> config = object(tokenizer);
    Map<String, @Nullable Object> tokens = specialTokens(config);
    Path file = modelFolder.resolve("chat_template.jinja");
    if (Files.exists(file)) {
      return new ChatTemplate(Template.parse(text(file), file.toString()), null, tokens, null);
    }
    file = modelFolder.resolve("chat_template.json");
    Object source = object(file).get("chat_template");
    if (source == null) {
      file = tokenizer;
      source = config.get("chat_template");
    }
    Map<String, String> sources = named(source);
    String main = sources.get("default");
    if (main == null) {
      throw new QnextException(
          ("the model has no chat template: neither chat_template.jinja nor chat_template.json nor a"
                  + " \"chat_template\" in tokenizer_config.json in %s; use `qnext complete`, which"
                  + " needs none, or put a template there")
              .formatted(modelFolder));
    }
    String tools = sources.get("tool_use");
    return new ChatTemplate(
        Template.parse(main, file.toString()),
        tools == null ? null : Template.parse(tools, file + " (tool_use)"),
        tokens,
        null);
  }

  /** A template that belongs to no model; {@code name} is for messages. */
  public static ChatTemplate parse(String source, String name) {
    return new ChatTemplate(Template.parse(source, name), null, Map.of(), null);
  }

  /** The same template with another clock behind {@code strftime_now}. */
  public ChatTemplate withClock(Clock other) {
    return new ChatTemplate(template, toolUse, specialTokens, other);
  }

  /** The template's text with exactly these variables: plain values, as {@link Json} makes them. */
  public String render(Map<String, @Nullable Object> variables) {
    return template.render(variables, clock);
  }

  /**
   * The prompt for a chat. Keys of a message whose value is null are dropped; reasoning under any
   * of its names is given to the template under {@code reasoning_content}; a content in text parts
   * is joined, since most templates would render it as nothing (parts of other kinds leave the
   * content as it is, for a template that knows them).
   *
   * @param tools JSON schemas of functions, null for none
   * @param extra more variables, such as {@code enable_thinking}; they win over all others
   */
  public String apply(
      List<Map<String, @Nullable Object>> messages,
      @Nullable List<?> tools,
      boolean addGenerationPrompt,
      Map<String, @Nullable Object> extra) {
    if (messages.isEmpty()) {
      throw new QnextException("the chat has no messages; give at least one");
    }
    List<Object> prepared = new ArrayList<>(messages.size());
    for (Map<String, @Nullable Object> message : messages) {
      prepared.add(prepared(message));
    }
    Map<String, @Nullable Object> variables = new LinkedHashMap<>(specialTokens);
    variables.put("messages", prepared);
    variables.put("tools", tools);
    variables.put("documents", null);
    variables.put("add_generation_prompt", addGenerationPrompt);
    variables.putAll(extra);
    Template used = tools != null && toolUse != null ? toolUse : template;
    return used.render(variables, clock);
  }

  private static Map<String, @Nullable Object> prepared(Map<String, @Nullable Object> message) {
    Object reasoning = null;
    for (String name : REASONING) {
      reasoning = reasoning == null ? message.get(name) : reasoning;
    }
    Map<String, @Nullable Object> result = new LinkedHashMap<>();
    if (reasoning != null) {
      result.put("thinking", reasoning);
    }
    for (Map.Entry<String, @Nullable Object> entry : message.entrySet()) {
      if (entry.getValue() != null) {
        result.put(entry.getKey(), entry.getValue());
      }
    }
    if (reasoning != null) {
      result.put("reasoning_content", reasoning);
    }
    if (result.get("content") instanceof List<?> parts) {
      result.put("content", joined(parts));
    }
    return result;
  }

  private static Object joined(List<?> parts) {
    StringBuilder text = new StringBuilder();
    for (Object part : parts) {
      Object piece = part;
      if (part instanceof Map<?, ?> map
          && (map.get("type") == null || "text".equals(map.get("type")))) {
        piece = map.get("text");
      }
      if (!(piece instanceof String)) {
        return parts;
      }
      text.append(piece);
    }
    return text.toString();
  }

  private static Map<String, @Nullable Object> specialTokens(Map<String, @Nullable Object> config) {
    Map<String, @Nullable Object> tokens = new LinkedHashMap<>();
    for (String name : SPECIAL_TOKENS) {
      Object token = config.get(name);
      // Either the text itself or an object of a token's properties.
      Object content = token instanceof Map<?, ?> properties ? properties.get("content") : token;
      if (content instanceof String) {
        tokens.put(name, content);
      }
    }
    return tokens;
  }

  private static Map<String, String> named(@Nullable Object source) {
    Map<String, String> sources = new LinkedHashMap<>();
    if (source instanceof String text) {
      sources.put("default", text);
    } else if (source instanceof List<?> list) {
      for (Object item : list) {
        if (item instanceof Map<?, ?> map
            && map.get("name") instanceof String name
            && map.get("template") instanceof String text) {
          sources.put(name, text);
        }
      }
    }
    return sources;
  }

  /** The file's object; empty where the file is absent. */
  private static Map<String, @Nullable Object> object(Path file) {
    Map<String, @Nullable Object> result = new LinkedHashMap<>();
    if (Files.exists(file)
        && Json.read(file, file.getFileName().toString()) instanceof Map<?, ?> map) {
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        result.put(String.valueOf(entry.getKey()), entry.getValue());
      }
    }
    return result;
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new QnextException(
          "cannot read the chat template: %s: %s".formatted(file, e.getMessage()), e);
    }
  }
}
