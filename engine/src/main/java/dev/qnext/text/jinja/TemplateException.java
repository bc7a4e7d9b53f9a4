package dev.qnext.text.jinja;

import dev.qnext.QnextException;

/** A template that cannot be read or a chat that it refuses; says where in the template. */
public final class TemplateException extends QnextException {
  private static final long serialVersionUID = 1L;

  /** What failed, in the terms of the golden data; {@code LIMIT} is ours: steps, text or depth. */
  public enum Kind {
    /** The template called {@code raise_exception}. */
    RAISE_EXCEPTION,
    /** Something undefined was used. */
    UNDEFINED,
    /** What Python would refuse: TypeError, ValueError, ZeroDivisionError ... */
    TYPE,
    RUNTIME,
    SECURITY,
    SYNTAX,
    LIMIT
  }

  private final Kind kind;
  private final String reason;
  private final int line;

  TemplateException(Kind kind, String reason, int line, String message) {
    super(message, null);
    this.kind = kind;
    this.reason = reason;
    this.line = line;
  }

  /** Not yet placed: {@link #at} adds the template's name and the line. */
  TemplateException(Kind kind, String reason) {
    this(kind, reason, 0, reason);
  }

  static TemplateException type(String format, Object... values) {
    return new TemplateException(Kind.TYPE, format.formatted(values));
  }

  static TemplateException runtime(String reason) {
    return new TemplateException(Kind.RUNTIME, reason);
  }

  static TemplateException limit(String reason) {
    return new TemplateException(Kind.LIMIT, reason);
  }

  static TemplateException syntax(int line, String reason) {
    return new TemplateException(Kind.SYNTAX, reason, line, reason);
  }

  /** The same failure with its place in the message; a line that is already known stays. */
  TemplateException at(String name, int currentLine) {
    int place = line > 0 ? line : currentLine;
    String message =
        switch (kind) {
          case RAISE_EXCEPTION -> "the chat template refuses this chat: %s (%s, line %d)";
          case SYNTAX -> "the chat template is not valid: %s (%s, line %d)";
          default -> "the chat template fails on this chat: %s (%s, line %d)";
        };
    return new TemplateException(kind, reason, place, message.formatted(reason, name, place));
  }

  public Kind kind() {
    return kind;
  }

  /** The bare cause, as Python's jinja2 words it: what {@code raise_exception} was given, say. */
  public String reason() {
    return reason;
  }

  /** Counted from 1. */
  public int line() {
    return line;
  }
}
