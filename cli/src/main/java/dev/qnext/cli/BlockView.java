package dev.qnext.cli;

import dev.qnext.Reply;
import dev.qnext.generate.Request;

/** Nothing but the last fenced block of the answer, or the whole answer if it has none. */
final class BlockView implements ReplyView {
  private static final String FENCE = "```";

  @Override
  public void end(Reply reply, Request request) {
    if (!reply.calls().isEmpty()) {
      return; // not the last word yet
    }
    Output out = Output.standard();
    String block = lastBlock(reply.text());
    if (block == null) {
      System.err.println("qnext: the answer has no fenced block, so here is all of it");
    }
    out.print(block == null ? reply.text() : block);
    out.endLine();
    out.flush();
  }

  /** What stands between the last two fences; a block that was cut off counts too. */
  static @org.jspecify.annotations.Nullable String lastBlock(String text) {
    String block = null;
    StringBuilder open = null;
    String fence = "";
    for (String line : text.split("\n", -1)) {
      String bare = line.strip();
      if (open == null) {
        if (bare.startsWith(FENCE)) {
          int ticks = 0;
          while (ticks < bare.length() && bare.charAt(ticks) == '`') {
            ticks++;
          }
          fence = "`".repeat(ticks);
          open = new StringBuilder();
        }
      } else if (bare.equals(fence)) {
        block = open.toString();
        open = null;
      } else {
        open.append(line).append('\n');
      }
    }
    return open != null && !open.isEmpty() ? open.toString() : block;
  }
}
