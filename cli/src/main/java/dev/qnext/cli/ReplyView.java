package dev.qnext.cli;

import dev.qnext.Reply;
import dev.qnext.generate.Request;
import dev.qnext.text.ToolCall;

/** Shows a reply while it comes, or once it is there; a model that calls tools gives several. */
interface ReplyView {
  /** A piece of what the model thinks. */
  default void thought(String piece) {}

  /** A piece of the answer. */
  default void text(String piece) {}

  default void call(ToolCall call) {}

  /** What came of a call. */
  default void result(ToolCall call, String result) {}

  /** All of one reply has been shown. */
  void end(Reply reply, Request request);
}
