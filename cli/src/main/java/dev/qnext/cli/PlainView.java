package dev.qnext.cli;

import dev.qnext.Reply;
import dev.qnext.generate.Request;
import dev.qnext.json.Json;
import dev.qnext.text.ToolCall;

/** The reply as it is, for pipes: calls of tools are lines of JSON. */
final class PlainView implements ReplyView {
  private final Output out = Output.standard();
  private final boolean thoughts;
  private boolean inThought;

  /**
   * @param thoughts whether they are printed too, between {@code <think>} and {@code </think>}
   */
  PlainView(boolean thoughts) {
    this.thoughts = thoughts;
  }

  @Override
  public void thought(String piece) {
    if (thoughts) {
      print(inThought ? piece : "<think>\n" + piece);
      inThought = true;
    }
  }

  @Override
  public void text(String piece) {
    endThought();
    print(piece);
  }

  private void endThought() {
    if (inThought) {
      inThought = false;
      out.endLine();
      print("</think>\n\n");
    }
  }

  @Override
  public void call(ToolCall call) {
    endThought();
    out.endLine();
    print(Json.write(call.toMap()) + "\n");
  }

  @Override
  public void end(Reply reply, Request request) {
    endThought();
    out.endLine();
    out.flush();
  }

  private void print(String text) {
    out.print(text);
    out.flush();
  }
}
