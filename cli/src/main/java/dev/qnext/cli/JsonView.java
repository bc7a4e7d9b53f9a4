package dev.qnext.cli;

import dev.qnext.Reply;
import dev.qnext.generate.Request;
import dev.qnext.json.Json;
import dev.qnext.text.ToolCall;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One object for each reply: its parts, and what is known of it. */
final class JsonView implements ReplyView {
  private final Output out = Output.standard();

  @Override
  public void end(Reply reply, Request request) {
    out.println(Json.write(object(reply, request)));
    out.flush();
  }

  private static Map<String, @Nullable Object> object(Reply reply, Request request) {
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("text", reply.text());
    if (!reply.thought().isEmpty()) {
      object.put("thought", reply.thought());
    }
    if (!reply.calls().isEmpty()) {
      List<Map<String, @Nullable Object>> calls =
          reply.calls().stream().map(ToolCall::toMap).toList();
      object.put("tool_calls", calls);
    }
    return Statistics.addTo(object, reply.result(), request);
  }
}
