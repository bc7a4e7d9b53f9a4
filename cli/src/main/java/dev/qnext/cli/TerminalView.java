package dev.qnext.cli;

import dev.qnext.Reply;
import dev.qnext.cli.ThinkOptions.Think;
import dev.qnext.generate.Request;
import dev.qnext.json.Json;
import dev.qnext.text.ToolCall;
import java.util.Locale;

/**
 * The reply for a person: Markdown coloured, thoughts dim or as one line, calls of tools and their
 * results dim on a line each. Without colours the answer is printed as it is.
 */
final class TerminalView implements ReplyView {
  /** How often the line that counts words is printed anew. */
  private static final long REFRESH_NANOS = 100_000_000;

  private static final String ERASE_LINE = "\r\u001b[K";
  private static final int LONGEST_RESULT = 200;

  private final Output out = Output.standard();
  private final Colors colors;
  private final Think think;

  /** Whether a line can be printed over another. */
  private final boolean live;

  private final Markdown markdown;
  private boolean inThought;
  private long thoughtStart;
  private long refreshed;
  private int words;
  private int columns;
  private boolean inWord;

  TerminalView(Colors colors, Think think, boolean live) {
    this.colors = colors;
    this.think = think;
    this.live = live;
    this.markdown = new Markdown(colors);
  }

  @Override
  public void thought(String piece) {
    boolean first = !inThought;
    inThought = true;
    if (first) {
      thoughtStart = System.nanoTime();
      refreshed = thoughtStart - REFRESH_NANOS;
      words = 0;
      columns = live ? Terminal.columns() : 0;
      inWord = false;
    }
    switch (think) {
      case SHOW -> print(colors.on() ? colors.dim(piece) : first ? "<think>\n" + piece : piece);
      case FOLD -> {
        count(piece);
        long now = System.nanoTime();
        if (live && now - refreshed >= REFRESH_NANOS) {
          refreshed = now;
          String line = "thinking ... %,d words".formatted(words);
          print(ERASE_LINE + colors.dim(line.substring(0, Math.min(line.length(), columns - 1))));
        }
      }
      case HIDE -> {}
    }
  }

  private void count(String piece) {
    for (int i = 0; i < piece.length(); i++) {
      boolean letter = !Character.isWhitespace(piece.charAt(i));
      if (letter && !inWord) {
        words++;
      }
      inWord = letter;
    }
  }

  private void endThought() {
    if (!inThought) {
      return;
    }
    inThought = false;
    switch (think) {
      case SHOW -> {
        out.endLine();
        print(colors.on() ? "\n" : "</think>\n\n");
      }
      case FOLD -> {
        double seconds = (System.nanoTime() - thoughtStart) / 1e9;
        String line = String.format(Locale.ROOT, "thought for %.1f s", seconds);
        print((live ? ERASE_LINE : "") + colors.dim(line) + "\n");
      }
      case HIDE -> {}
    }
  }

  @Override
  public void text(String piece) {
    endThought();
    print(colors.on() ? markdown.accept(piece) : piece);
  }

  private void endText() {
    endThought();
    print(markdown.finish());
    out.endLine();
  }

  @Override
  public void call(ToolCall call) {
    endText();
    print(colors.dim(Json.write(call.toMap())) + "\n");
  }

  @Override
  public void result(ToolCall call, String result) {
    String line = result.strip().replace('\n', ' ');
    boolean cut = line.length() > LONGEST_RESULT;
    print(colors.dim("= " + (cut ? line.substring(0, LONGEST_RESULT) + "..." : line)) + "\n");
  }

  @Override
  public void end(Reply reply, Request request) {
    endText();
    out.flush();
  }

  private void print(String text) {
    if (!text.isEmpty()) {
      out.print(text);
      out.flush();
    }
  }
}
