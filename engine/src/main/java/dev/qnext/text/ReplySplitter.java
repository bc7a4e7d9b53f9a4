package dev.qnext.text;

import dev.qnext.text.ReplyPart.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * Tells thought, answer and calls of tools apart while the text of a reply comes, wherever its
 * pieces are cut. Thinking models begin inside a thought, because their template opens it; others
 * may open one first of all. Tags and the blank lines around them belong to no part.
 */
public final class ReplySplitter {
  private static final String THINK = "<think>";
  private static final String END_THINK = "</think>";
  private static final String CALL = "<tool_call>";
  private static final String END_CALL = "</tool_call>";

  private final boolean tools;
  private final StringBuilder pending = new StringBuilder();
  private Kind kind;

  /** A tag came last: blanks behind it are dropped. */
  private boolean behindTag;

  /** Nothing of the reply has come yet. */
  private boolean first;

  /**
   * @param thinking whether the prompt ends inside a thought
   * @param tools whether calls of tools are looked for; else they are text like any other
   */
  public ReplySplitter(boolean thinking, boolean tools) {
    this.tools = tools;
    this.kind = thinking ? Kind.THOUGHT : Kind.ANSWER;
    this.first = !thinking;
    this.behindTag = thinking;
  }

  /** Whether the text so far ends inside a thought. */
  public boolean thinking() {
    return kind == Kind.THOUGHT;
  }

  /** What the next piece of text makes certain. */
  public List<ReplyPart> accept(String piece) {
    pending.append(piece);
    List<ReplyPart> parts = new ArrayList<>();
    while (step(parts)) {
      first = false;
    }
    return parts;
  }

  /** The rest, once nothing more comes; a call without an end is text. */
  public List<ReplyPart> finish() {
    List<ReplyPart> parts = new ArrayList<>();
    if (kind == Kind.CALL) {
      kind = Kind.ANSWER;
      pending.insert(0, CALL);
    }
    emit(parts, pending.length());
    pending.setLength(0);
    return parts;
  }

  /** One tag, or as much text as surely belongs to no tag; false when more must come first. */
  private boolean step(List<ReplyPart> parts) {
    return switch (kind) {
      case THOUGHT -> text(parts, END_THINK, Kind.ANSWER);
      case CALL -> call(parts);
      case ANSWER -> first ? opening() : tools ? text(parts, CALL, Kind.CALL) : all(parts);
    };
  }

  /** A reply may open a thought by itself. */
  private boolean opening() {
    int at = blanks();
    int n = Math.min(pending.length() - at, THINK.length());
    if (!THINK.startsWith(pending.substring(at, at + n))) {
      return true;
    }
    if (n < THINK.length()) {
      return false;
    }
    pending.delete(0, at + n);
    begin(Kind.THOUGHT);
    return true;
  }

  private boolean call(List<ReplyPart> parts) {
    int end = pending.indexOf(END_CALL);
    if (end < 0) {
      return false;
    }
    parts.add(new ReplyPart(Kind.CALL, pending.substring(0, end).strip()));
    pending.delete(0, end + END_CALL.length());
    begin(Kind.ANSWER);
    return true;
  }

  /** Text up to a tag, which begins the next part. */
  private boolean text(List<ReplyPart> parts, String tag, Kind next) {
    int at = pending.indexOf(tag);
    if (at >= 0) {
      // The blank lines before the tag are not the part's.
      int end = at;
      while (end > 0 && Character.isWhitespace(pending.charAt(end - 1))) {
        end--;
      }
      emit(parts, end);
      pending.delete(0, at - end + tag.length());
      begin(next);
      return true;
    }
    emit(parts, certain(tag));
    return false;
  }

  private boolean all(List<ReplyPart> parts) {
    emit(parts, pending.length());
    return false;
  }

  private void begin(Kind next) {
    kind = next;
    behindTag = true;
  }

  /**
   * How much of the pending text is neither the beginning of the tag nor blanks that may precede
   * it.
   */
  private int certain(String tag) {
    int end = pending.length();
    for (int n = Math.min(tag.length() - 1, end); n > 0; n--) {
      if (tag.startsWith(pending.substring(end - n))) {
        end -= n;
        break;
      }
    }
    while (end > 0 && Character.isWhitespace(pending.charAt(end - 1))) {
      end--;
    }
    return end;
  }

  private void emit(List<ReplyPart> parts, int length) {
    int from = behindTag ? Math.min(blanks(), length) : 0;
    if (length > from) {
      behindTag = false;
      parts.add(new ReplyPart(kind, pending.substring(from, length)));
    }
    pending.delete(0, length);
  }

  /** How many blanks the pending text begins with. */
  private int blanks() {
    int blanks = 0;
    while (blanks < pending.length() && Character.isWhitespace(pending.charAt(blanks))) {
      blanks++;
    }
    return blanks;
  }
}
