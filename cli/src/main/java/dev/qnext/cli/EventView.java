package dev.qnext.cli;

import dev.qnext.Reply;
import dev.qnext.generate.Request;
import dev.qnext.json.Json;
import dev.qnext.text.ToolCall;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A line of JSON for everything that happens, when it happens; "event" says what. */
final class EventView implements ReplyView {
  private final Output out = Output.standard();

  @Override
  public void thought(String piece) {
    print("thought", Map.of("text", piece));
  }

  @Override
  public void text(String piece) {
    print("text", Map.of("text", piece));
  }

  @Override
  public void call(ToolCall call) {
    print("tool_call", call.toMap());
  }

  @Override
  public void result(ToolCall call, String result) {
    Map<String, @Nullable Object> values = new LinkedHashMap<>();
    values.put("name", call.name());
    values.put("text", result);
    print("tool_result", values);
  }

  @Override
  public void end(Reply reply, Request request) {
    print("end", Statistics.addTo(new LinkedHashMap<>(), reply.result(), request));
  }

  private void print(String event, Map<String, ? extends @Nullable Object> values) {
    Map<String, @Nullable Object> line = new LinkedHashMap<>();
    line.put("event", event);
    line.putAll(values);
    out.println(Json.write(line));
    out.flush();
  }
}
