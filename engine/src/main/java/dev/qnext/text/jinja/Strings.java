package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.type;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Python's rules for strings: lengths and places count code points, white space is Unicode's. */
final class Strings {
  private Strings() {}

  /** What Python's {@code str.isspace} accepts. */
  static boolean isSpace(int c) {
    return c <= 0x20
        ? (c >= 0x09 && c <= 0x0D) || c >= 0x1C
        : c == 0x85
            || c == 0xA0
            || c == 0x1680
            || (c >= 0x2000 && c <= 0x200A)
            || c == 0x2028
            || c == 0x2029
            || c == 0x202F
            || c == 0x205F
            || c == 0x3000;
  }

  static boolean isLineEnd(int c) {
    return (c >= 0x0A && c <= 0x0D)
        || (c >= 0x1C && c <= 0x1E)
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }

  static boolean isPrintable(int c) {
    if (c < 0x7F) {
      return c >= 0x20;
    }
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SPACE_SEPARATOR ->
          false;
      default -> true;
    };
  }

  static boolean isIdentifierPart(int c) {
    return c == '_'
        || (Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c));
  }

  static boolean isIdentifier(String text) {
    if (text.isEmpty()) {
      return false;
    }
    int first = text.codePointAt(0);
    boolean valid = first == '_' || Character.isUnicodeIdentifierStart(first);
    for (int i = 0; valid && i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      valid = isIdentifierPart(text.codePointAt(i));
    }
    return valid;
  }

  static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  /** Code points {@code from} to {@code to}; both lie within the text. */
  static String substring(String text, int from, int to) {
    if (length(text) == text.length()) {
      return text.substring(from, to);
    }
    int begin = text.offsetByCodePoints(0, from);
    return text.substring(begin, text.offsetByCodePoints(begin, to - from));
  }

  static String upper(String text) {
    return text.toUpperCase(Locale.ROOT);
  }

  static String lower(String text) {
    return text.toLowerCase(Locale.ROOT);
  }

  /** The first letter as a title has it, the others small. */
  static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = Character.charCount(text.codePointAt(0));
    return titled(text.substring(0, first))
        + lower(text).substring(lower(text.substring(0, first)).length());
  }

  private static String titled(String letter) {
    int title = Character.toTitleCase(letter.codePointAt(0));
    String upper = upper(letter);
    boolean longer = title == letter.codePointAt(0) && length(upper) > 1;
    return longer ? capitalize(upper) : Character.toString(title);
  }

  /** Every letter behind a letter small, every other letter as a title has it. */
  static String title(String text) {
    StringBuilder out = new StringBuilder(text.length());
    boolean inWord = false;
    for (int i = 0; i < text.length(); ) {
      String letter = Character.toString(text.codePointAt(i));
      i += letter.length();
      out.append(inWord ? lower(letter) : titled(letter));
      inWord = isCased(letter.codePointAt(0));
    }
    return out.toString();
  }

  static String swapCase(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      String letter = Character.toString(text.codePointAt(i));
      i += letter.length();
      boolean upper = Character.isUpperCase(letter.codePointAt(0));
      out.append(
          upper
              ? lower(letter)
              : Character.isLowerCase(letter.codePointAt(0)) ? upper(letter) : letter);
    }
    return out.toString();
  }

  static boolean isCased(int c) {
    return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
  }

  /** Without the given characters (null: white space) at the chosen ends. */
  static String strip(String text, @Nullable String characters, boolean left, boolean right) {
    int from = 0;
    int to = text.length();
    while (left && from < to && strips(text.codePointAt(from), characters)) {
      from += Character.charCount(text.codePointAt(from));
    }
    while (right && to > from && strips(text.codePointBefore(to), characters)) {
      to -= Character.charCount(text.codePointBefore(to));
    }
    return text.substring(from, to);
  }

  private static boolean strips(int c, @Nullable String characters) {
    return characters == null ? isSpace(c) : characters.indexOf(c) >= 0;
  }

  /** At most {@code limit} cuts (negative: no limit), counted from the left. */
  static List<@Nullable Object> split(String text, @Nullable String separator, int limit) {
    List<@Nullable Object> parts = new ArrayList<>();
    if (separator == null) {
      int from = skip(text, 0, true);
      while (from < text.length()) {
        Interpreter.checkItems(parts.size());
        boolean rest = limit >= 0 && parts.size() == limit;
        int to = rest ? text.length() : skip(text, from, false);
        parts.add(text.substring(from, to));
        from = skip(text, to, true);
      }
      return parts;
    }
    int from = 0;
    for (int at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, from)) {
      Interpreter.checkItems(parts.size());
      if (limit >= 0 && parts.size() == limit) {
        break;
      }
      parts.add(text.substring(from, at));
      from = at + separator.length();
    }
    parts.add(text.substring(from));
    return parts;
  }

  private static int skip(String text, int from, boolean space) {
    int i = from;
    while (i < text.length() && isSpace(text.charAt(i)) == space) {
      i++;
    }
    return i;
  }

  /** The same, with the cuts counted from the right. */
  static List<@Nullable Object> splitRight(String text, @Nullable String separator, int limit) {
    List<@Nullable Object> parts = new ArrayList<>();
    int end = text.length();
    while (limit < 0 || parts.size() < limit) {
      Interpreter.checkItems(parts.size());
      end = separator == null ? strip(text.substring(0, end), null, false, true).length() : end;
      int from = end;
      if (separator != null) {
        from = text.lastIndexOf(separator, end - separator.length()) + separator.length();
      }
      while (separator == null && from > 0 && !isSpace(text.charAt(from - 1))) {
        from--;
      }
      if (separator == null ? end == 0 : from < separator.length()) {
        break;
      }
      parts.add(text.substring(from, end));
      end = separator == null ? from : from - separator.length();
    }
    String rest = text.substring(0, end);
    rest = separator == null ? strip(rest, null, false, true) : rest;
    if (separator != null || !rest.isEmpty()) {
      parts.add(rest);
    }
    Collections.reverse(parts);
    return parts;
  }

  static List<@Nullable Object> lines(String text, boolean keepEnds) {
    List<@Nullable Object> lines = new ArrayList<>();
    for (int from = 0; from < text.length(); ) {
      Interpreter.checkItems(lines.size());
      int to = from;
      while (to < text.length() && !isLineEnd(text.charAt(to))) {
        to++;
      }
      int next = text.startsWith("\r\n", to) ? to + 2 : Math.min(to + 1, text.length());
      lines.add(text.substring(from, keepEnds ? next : to));
      from = next;
    }
    return lines;
  }

  /** At most {@code limit} replacements (negative: no limit). */
  static String replace(String text, String old, String with, int limit) {
    StringBuilder out = new StringBuilder();
    int from = 0;
    for (int count = 0; limit < 0 || count < limit; count++) {
      int at = old.isEmpty() ? from : text.indexOf(old, from);
      if (at < 0 || at > text.length()) {
        break;
      }
      out.append(text, from, at).append(with);
      from = at + old.length();
      if (old.isEmpty()) {
        if (from == text.length()) {
          from = text.length() + 1;
          break;
        }
        int next = from + Character.charCount(text.codePointAt(from));
        out.append(text, from, next);
        from = next;
      }
      Interpreter.checkText(out.length());
    }
    return from > text.length() ? out.toString() : out.append(text, from, text.length()).toString();
  }

  static int count(String text, String part) {
    if (part.isEmpty()) {
      return length(text) + 1;
    }
    int count = 0;
    for (int at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length())) {
      count++;
    }
    return count;
  }

  /** {@code left} and {@code right} times the fill character around the text. */
  static String pad(String text, String fill, long left, long right) {
    if (length(fill) != 1) {
      throw type("The fill character must be exactly one character long");
    }
    Interpreter.checkText(left + right);
    return fill.repeat((int) Math.max(left, 0)) + text + fill.repeat((int) Math.max(right, 0));
  }

  static String expandTabs(String text, int size) {
    StringBuilder out = new StringBuilder();
    int column = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\t') {
        int blanks = size > 0 ? size - column % size : 0;
        Interpreter.checkText((long) out.length() + blanks);
        out.repeat(' ', blanks);
        column += blanks;
      } else {
        out.append(c);
        column = c == '\n' || c == '\r' ? 0 : column + (Character.isLowSurrogate(c) ? 0 : 1);
      }
    }
    return out.toString();
  }

  /** Order of code points, which is not the order of Java's characters. */
  static int compare(String a, String b) {
    int end = Math.min(a.length(), b.length());
    for (int i = 0; i < end; i++) {
      char x = a.charAt(i);
      char y = b.charAt(i);
      if (x != y) {
        boolean mixed = Character.isSurrogate(x) != Character.isSurrogate(y);
        return mixed ? (Character.isSurrogate(x) ? 1 : -1) : Character.compare(x, y);
      }
    }
    return Integer.compare(a.length(), b.length());
  }

  static String escapeHtml(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> out.append("&amp;");
        case '<' -> out.append("&lt;");
        case '>' -> out.append("&gt;");
        case '\'' -> out.append("&#39;");
        case '"' -> out.append("&#34;");
        default -> out.append(c);
      }
    }
    return out.toString();
  }
}
