package dev.qnext.text;

import dev.qnext.QnextException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A split pattern without a scanner of its own, by {@link java.util.regex}.
 *
 * <p>Patterns are written for Oniguruma. Taken are those constructs that mean the same to both, as
 * far as tokenizers use them: literals, classes, {@code \p{..}}, {@code \s \d} and their opposites,
 * groups, {@code (?i:..)}, look-ahead, alternatives, and repetition of anything but a group. All
 * else is refused. Without repeated groups the JDK's matcher needs no stack for long texts, and a
 * budget of steps ends those patterns that would go back and forth for hours.
 */
final class PreTokenizerRegex implements PreTokenizer {
  /** GPT-2's pattern, which {@code ByteLevel} brings along. */
  static final String GPT2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

  private static final int LONGEST_PATTERN = 2000;
  private static final int STEPS_PER_CHARACTER = 200;

  private final Pattern pattern;
  private final boolean removeMatches;
  private final boolean removeOthers;

  private PreTokenizerRegex(Pattern pattern, boolean removeMatches, boolean removeOthers) {
    this.pattern = pattern;
    this.removeMatches = removeMatches;
    this.removeOthers = removeOthers;
  }

  /** Pieces are the matches and what lies between them. */
  static PreTokenizerRegex isolating(Pattern pattern) {
    return new PreTokenizerRegex(pattern, false, false);
  }

  /** Pieces are what lies between the matches; with {@code invert} the matches. */
  static PreTokenizerRegex removing(Pattern pattern, boolean invert) {
    return new PreTokenizerRegex(pattern, !invert, invert);
  }

  /** A pattern that is plain text. */
  static Pattern literal(String text) {
    return Pattern.compile(text, Pattern.LITERAL);
  }

  /**
   * The JDK's pattern for one written for Oniguruma.
   *
   * @throws IllegalArgumentException with the construct that is not supported
   */
  static Pattern compile(String regex) {
    if (regex.length() > LONGEST_PATTERN) {
      throw new IllegalArgumentException(regex.length() + " characters");
    }
    int flags = Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNIX_LINES;
    try {
      return Pattern.compile(new Translation(regex).run(), flags);
    } catch (PatternSyntaxException e) {
      throw new IllegalArgumentException(e.getDescription(), e);
    }
  }

  @Override
  public void split(char[] text, int from, int to, Pieces pieces) {
    Matcher matcher = pattern.matcher(new Budgeted(text, to - from));
    int done = from;
    int at = from;
    while (at <= to && matcher.region(at, to).find()) {
      if (done < matcher.start() && !removeOthers) {
        pieces.piece(text, done, matcher.start());
      }
      done = matcher.end();
      if (matcher.start() < done && !removeMatches) {
        pieces.piece(text, matcher.start(), done);
      }
      at = done;
      if (matcher.start() == done) {
        at += done < to ? Character.charCount(Character.codePointAt(text, done)) : 1;
      }
    }
    if (done < to && !removeOthers) {
      pieces.piece(text, done, to);
    }
  }

  /** A text that can be looked at only so many times. */
  private final class Budgeted implements CharSequence {
    private final char[] text;
    private final int size;
    private long steps;

    Budgeted(char[] text, int size) {
      this.text = text;
      this.size = size;
      steps = STEPS_PER_CHARACTER * (size + 50L);
    }

    @Override
    public char charAt(int index) {
      if (--steps < 0) {
        throw new QnextException(
            "the tokenizer's split pattern %s takes too many steps for a text of %d characters; give it in smaller parts"
                .formatted(pattern, size));
      }
      return text[index];
    }

    @Override
    public int length() {
      return text.length;
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return new String(text, start, end - start);
    }

    @Override
    public String toString() {
      return new String(text);
    }
  }

  /** Reads a pattern once, copies what is understood, and refuses the rest. */
  private static final class Translation {
    private static final String LETTERS_OF_ESCAPES = "rntfsSdD";

    private final String regex;
    private final StringBuilder out = new StringBuilder();
    private int at;

    Translation(String regex) {
      this.regex = regex;
    }

    String run() {
      boolean inClass = false;
      while (at < regex.length()) {
        char c = regex.charAt(at);
        if (c == '\\') {
          escape();
        } else if (inClass) {
          require(c != '[', "a class inside of a class");
          require(!regex.startsWith("&&", at), "&&");
          inClass = c != ']';
          copy(1);
        } else if (c == '[') {
          inClass = true;
          copy(regex.startsWith("[^", at) ? 2 : 1);
          require(!regex.startsWith("]", at), "an empty class");
        } else if (c == '(') {
          group();
        } else if (c == ')') {
          copy(1);
          require(at == regex.length() || "*+{".indexOf(regex.charAt(at)) < 0, "a repeated group");
        } else if (c == '{') {
          count();
        } else {
          require(c != '^' && c != '$', "an anchor");
          copy(1);
        }
      }
      return out.toString();
    }

    private void escape() {
      require(at + 1 < regex.length(), "a backslash at the end");
      char c = regex.charAt(at + 1);
      if (c == 'p' || c == 'P') {
        property();
      } else if (c == 'u') {
        require(regex.startsWith("\\u", at) && at + 6 <= regex.length(), "\\u");
        require(!Character.isSurrogate((char) hex(regex.substring(at + 2, at + 6))), "a surrogate");
        copy(6);
      } else {
        boolean letter = Character.isLetterOrDigit(c);
        require(!letter || LETTERS_OF_ESCAPES.indexOf(c) >= 0, "\\" + c);
        copy(2);
      }
    }

    /** {@code \p{L}}, {@code \p{Lu}}; longer names are scripts, which the JDK writes IsHan. */
    private void property() {
      int end = regex.indexOf('}', at);
      require(regex.startsWith("{", at + 2) && end > at + 3, "\\p without {name}");
      String name = regex.substring(at + 3, end);
      require(name.chars().allMatch(Character::isLetter), "\\p{" + name + "}");
      out.append(regex, at, at + 3).append(name.length() > 2 ? "Is" : "").append(name).append('}');
      at = end + 1;
    }

    private void group() {
      for (String opening : new String[] {"(?:", "(?i:", "(?=", "(?!"}) {
        if (regex.startsWith(opening, at)) {
          copy(opening.length());
          return;
        }
      }
      require(!regex.startsWith("(?", at), "this kind of group");
      copy(1);
    }

    /** {@code {2}}, {@code {1,3}}, {@code {2,}}. */
    private void count() {
      int end = regex.indexOf('}', at);
      String count = end < 0 ? "" : regex.substring(at + 1, end);
      require(count.matches("[0-9]{1,3}(,[0-9]{0,3})?"), "the count {" + count + "}");
      copy(count.length() + 2);
      require(at == regex.length() || "+?*{".indexOf(regex.charAt(at)) < 0, "a count of a count");
    }

    private static int hex(String digits) {
      try {
        return Integer.parseInt(digits, 16);
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException("\\u" + digits, e);
      }
    }

    private void copy(int length) {
      out.append(regex, at, at + length);
      at += length;
    }

    private static void require(boolean supported, String construct) {
      if (!supported) {
        throw new IllegalArgumentException(construct);
      }
    }
  }
}
