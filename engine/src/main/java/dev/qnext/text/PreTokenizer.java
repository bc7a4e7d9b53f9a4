package dev.qnext.text;

/**
 * Cuts text into the pieces that are encoded by themselves: no merge goes across a border. All of
 * the text between the given places is covered, in order, but for what a pattern removes.
 */
interface PreTokenizer {
  /** Takes pieces; a piece may lie in another array than the one that was cut. */
  interface Pieces {
    void piece(char[] text, int from, int to);
  }

  /**
   * Cuts {@code text[from, to)}, which holds no lone surrogate and is cut as if nothing were around
   * it.
   */
  void split(char[] text, int from, int to, Pieces pieces);

  /** Cuts again what this one gives. */
  default PreTokenizer then(PreTokenizer next) {
    return (text, from, to, pieces) ->
        split(text, from, to, (t, start, end) -> next.split(t, start, end, pieces));
  }

  /** Cuts nothing. */
  static PreTokenizer whole() {
    return (text, from, to, pieces) -> pieces.piece(text, from, to);
  }

  /** Puts a space before a text that does not begin with one. */
  static PreTokenizer prefixSpace() {
    return (text, from, to, pieces) -> {
      if (from < to && text[from] != ' ') {
        char[] longer = new char[to - from + 1];
        longer[0] = ' ';
        System.arraycopy(text, from, longer, 1, to - from);
        pieces.piece(longer, 0, longer.length);
      } else {
        pieces.piece(text, from, to);
      }
    };
  }
}
