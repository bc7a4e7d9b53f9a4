package dev.qnext.text;

import java.util.List;

/**
 * The text of a reply as its tokens come: whole characters only, and nothing from a stop string on.
 */
public final class TextStream {
  private final TokenDecoder decoder;
  private final StopStrings stops;

  public TextStream(Tokenizer tokenizer, List<String> stopStrings) {
    this.decoder = tokenizer.decoder(true);
    this.stops = new StopStrings(stopStrings);
  }

  /** Text that this token completes, often empty. */
  public String accept(int id) {
    return stops.accept(decoder.accept(id));
  }

  /** True once a stop string was found: nothing after it counts. */
  public boolean stopped() {
    return stops.found();
  }

  /** The rest, once no token follows. */
  public String finish() {
    return stops.accept(decoder.finish()) + stops.finish();
  }
}
