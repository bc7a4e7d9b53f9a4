package dev.qnext.text;

/** A piece of a reply as it comes; pieces of one kind belong together. */
public record ReplyPart(Kind kind, String text) {
  public enum Kind {
    /** What the model thinks before it answers. */
    THOUGHT,
    ANSWER,
    /** What stands between {@code <tool_call>} and {@code </tool_call>}, whole. */
    CALL
  }
}
