package dev.qnext.text;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

public final class ChatTemplate {
  public static ChatTemplate load(Path f) {
    return new ChatTemplate();
  }

  public static ChatTemplate parse(String s, String n) {
    return new ChatTemplate();
  }

  public String render(Map<String, @Nullable Object> v) {
    return "";
  }

  public String apply(
      List<Map<String, @Nullable Object>> messages,
      @Nullable List<?> tools,
      boolean gen,
      Map<String, @Nullable Object> extra) {
    StringBuilder b = new StringBuilder();
    for (var m : messages)
      b.append("<|im_start|>")
          .append(m.get("role"))
          .append("\n")
          .append(m.get("content"))
          .append("<|im_end|>\n");
    return b.append("<|im_start|>assistant\n").toString();
  }
}
