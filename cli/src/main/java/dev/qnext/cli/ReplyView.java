package dev.qnext.cli;

import dev.qnext.Reply;
import dev.qnext.generate.Request;
import dev.qnext.text.ToolCall;

/** Shows a reply while it comes; a model that calls tools gives several. */
interface ReplyView {
  /** A piece of what the model thinks. */
  void thought(String piece);

  /** A piece of the answer. */
  void text(String piece);

  void call(ToolCall call);

  /** What came of a call. */
  void result(ToolCall call, String result);

  /** All of one reply has been shown. */
  void end(Reply reply, Request request);
}
