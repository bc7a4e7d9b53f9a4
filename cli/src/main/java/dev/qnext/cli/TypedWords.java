package dev.qnext.cli;

import java.util.List;
import org.jline.reader.CompletingParsedLine;
import org.jline.reader.ParsedLine;
import org.jline.reader.Parser;

/**
 * A line as completion sees it: words between blanks, up to the cursor. From an {@code @} on, all
 * is one word, because file names have blanks too.
 *
 * @param words of which the last is being typed
 */
record TypedWords(String line, int cursor, List<String> words) implements CompletingParsedLine {
  static ParsedLine parse(String line, int cursor, Parser.ParseContext context) {
    String typed = line.substring(0, Math.min(cursor, line.length()));
    int file = typed.indexOf(" @");
    if (file < 0) {
      return new TypedWords(line, cursor, List.of(typed.split("\\s+", -1)));
    }
    return new TypedWords(
        line, cursor, List.of(typed.substring(0, file).strip(), typed.substring(file + 1)));
  }

  @Override
  public String word() {
    return words.getLast();
  }

  @Override
  public int wordCursor() {
    return word().length();
  }

  @Override
  public int wordIndex() {
    return words.size() - 1;
  }

  /** Words are completed as they are, without quotes and escapes. */
  @Override
  public CharSequence escape(CharSequence candidate, boolean complete) {
    return candidate;
  }

  @Override
  public int rawWordCursor() {
    return wordCursor();
  }

  @Override
  public int rawWordLength() {
    return wordCursor();
  }
}
