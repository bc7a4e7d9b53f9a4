package dev.qnext.text.jinja;

import static dev.qnext.text.jinja.TemplateException.syntax;

import java.math.BigInteger;
import java.util.ArrayDeque;

/**
 * Cuts a template's text into tokens, with {@code trim_blocks} and {@code lstrip_blocks} on, as
 * transformers sets them.
 *
 * <p>White space: {@code {%-} and {@code -%}} remove all of it on their side; a block or comment
 * that only blanks precede on its line removes these ({@code {%+} keeps them) and the line feed
 * behind it ({@code +%}} keeps it). All line ends become line feeds, and one at the end of the text
 * is dropped. Tokens are made on demand, so that the first error in the text is the one reported.
 */
final class Lexer {
  static final String NAME = "name";
  static final String STRING = "string";
  static final String INTEGER = "integer";
  static final String FLOAT = "float";
  static final String DATA = "data";
  static final String BLOCK_BEGIN = "begin of statement block";
  static final String BLOCK_END = "end of statement block";
  static final String PRINT_BEGIN = "begin of print statement";
  static final String PRINT_END = "end of print statement";
  static final String END = "end of template";

  private static final String[] OPERATORS = {"//", "**", "==", "!=", ">=", "<="};
  private static final String SINGLE_OPERATORS = "+-/*%~[](){}><=.:|,;";

  /** {@code type} is one of the names above or the operator itself. */
  record Token(int line, String type, Object value) {
    boolean is(String wanted) {
      return type.equals(wanted);
    }

    boolean isName(String name) {
      return type.equals(NAME) && value.equals(name);
    }

    String describe() {
      return type.equals(NAME)
          ? value.toString()
          : type.equals(DATA) ? "template data / text" : type;
    }
  }

  private final String source;
  private final ArrayDeque<Token> queue = new ArrayDeque<>();
  private final StringBuilder brackets = new StringBuilder();
  private int pos;
  private int line = 1;
  private String end = "";

  Lexer(String text) {
    String lines = text.indexOf('\r') < 0 ? text : text.replace("\r\n", "\n").replace('\r', '\n');
    source = lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines;
  }

  Token next() {
    while (queue.isEmpty()) {
      if (pos >= source.length()) {
        return new Token(line, END, "");
      }
      if (end.isEmpty()) {
        text();
      } else {
        tag();
      }
    }
    return queue.remove();
  }

  /** The text up to the next tag, and that tag's beginning; comments and raw blocks whole. */
  private void text() {
    int begin = pos;
    int at = nextTag(pos);
    if (at < 0) {
      queue.add(new Token(line, DATA, source.substring(pos)));
      moveTo(source.length());
      return;
    }
    char kind = source.charAt(at + 1);
    int raw = kind == '%' ? rawBegin(at) : -1;
    char sign = sign(at + 2);
    String text = stripped(begin, at, sign, kind == '{');
    if (!text.isEmpty()) {
      queue.add(new Token(line, DATA, text));
    }
    moveTo(at);
    int inside = at + (sign == 0 ? 2 : 3);
    if (raw >= 0) {
      moveTo(raw);
      rawText();
    } else if (kind == '#') {
      comment(inside);
    } else {
      end = kind == '{' ? PRINT_END : BLOCK_END;
      queue.add(new Token(line, kind == '{' ? PRINT_BEGIN : BLOCK_BEGIN, ""));
      moveTo(inside);
    }
  }

  private int nextTag(int from) {
    for (int i = source.indexOf('{', from); i >= 0; i = source.indexOf('{', i + 1)) {
      if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return -1;
  }

  private String stripped(int from, int to, char sign, boolean print) {
    int last = to;
    while (last > from && Strings.isSpace(source.charAt(last - 1))) {
      last--;
    }
    if (sign == '-') {
      return source.substring(from, last);
    }
    if (sign != '+' && !print) {
      int lineStart = to;
      while (lineStart > last && source.charAt(lineStart - 1) != '\n') {
        lineStart--;
      }
      boolean ownLine = last == from && (from == 0 || source.charAt(from - 1) == '\n');
      if (lineStart > last || ownLine) {
        return source.substring(from, lineStart);
      }
    }
    return source.substring(from, to);
  }

  private void comment(int inside) {
    int close = source.indexOf("#}", inside);
    if (close < 0) {
      throw syntax(line, "Missing end of comment tag");
    }
    moveTo(behind(close, close > inside ? source.charAt(close - 1) : 0));
  }

  /** The place behind {@code {% raw %}}, or -1 when the tag at {@code at} is another. */
  private int rawBegin(int at) {
    int i = word(at + (sign(at + 2) == 0 ? 2 : 3), "raw");
    if (i >= 0 && source.startsWith("-%}", i)) {
      return skipSpace(i + 3);
    }
    return i >= 0 && source.startsWith("%}", i) ? i + 2 : -1;
  }

  private void rawText() {
    for (int at = source.indexOf("{%", pos); at >= 0; at = source.indexOf("{%", at + 1)) {
      char sign = sign(at + 2);
      int i = word(at + (sign == 0 ? 2 : 3), "endraw");
      if (i >= 0 && sign(i) != 0 && source.startsWith("%}", i + 1)) {
        i++;
      } else if (i < 0 || !source.startsWith("%}", i)) {
        continue;
      }
      String text = stripped(pos, at, sign, false);
      if (!text.isEmpty()) {
        queue.add(new Token(line, DATA, text));
      }
      moveTo(behind(i, sign(i - 1)));
      return;
    }
    throw syntax(line, "Missing end of raw directive");
  }

  /** The place behind a block's or comment's two closing characters. */
  private int behind(int close, int sign) {
    int next = close + 2;
    if (sign == '-') {
      return skipSpace(next);
    }
    return sign != '+' && next < source.length() && source.charAt(next) == '\n' ? next + 1 : next;
  }

  private int word(int from, String word) {
    int i = skipSpace(from);
    return source.startsWith(word, i) ? skipSpace(i + word.length()) : -1;
  }

  private char sign(int at) {
    char c = at >= 0 && at < source.length() ? source.charAt(at) : 0;
    return c == '-' || c == '+' ? c : 0;
  }

  private int skipSpace(int from) {
    int i = from;
    while (i < source.length() && Strings.isSpace(source.charAt(i))) {
      i++;
    }
    return i;
  }

  private void moveTo(int to) {
    for (; pos < to; pos++) {
      if (source.charAt(pos) == '\n') {
        line++;
      }
    }
  }

  /** One token inside of a tag, or the tag's end where no bracket is open. */
  private void tag() {
    if (brackets.isEmpty() && tagEnd()) {
      return;
    }
    char c = source.charAt(pos);
    if (Strings.isSpace(c)) {
      moveTo(skipSpace(pos));
    } else if (c >= '0' && c <= '9') {
      number();
    } else if (c == '"' || c == '\'') {
      string(c);
    } else if (isNamePart(source.codePointAt(pos))) {
      name();
    } else {
      operator(c);
    }
  }

  private boolean tagEnd() {
    String close = end.equals(PRINT_END) ? "}}" : "%}";
    char sign = sign(pos);
    boolean signed = sign == '-' || (sign == '+' && end.equals(BLOCK_END));
    int at = signed ? pos + 1 : pos;
    if (!source.startsWith(close, at)) {
      return false;
    }
    queue.add(new Token(line, end, ""));
    moveTo(end.equals(PRINT_END) && !signed ? at + 2 : behind(at, sign));
    end = "";
    return true;
  }

  private void number() {
    int digits = digits(pos, 10);
    int i = digits;
    boolean real = pos == 0 || source.charAt(pos - 1) != '.';
    if (real && i < source.length() && source.charAt(i) == '.' && digits(i + 1, 10) > i + 1) {
      i = digits(i + 1, 10);
    }
    if (real && i < source.length() && (source.charAt(i) | 0x20) == 'e') {
      int exponent = sign(i + 1) == 0 ? i + 1 : i + 2;
      i = digits(exponent, 10) > exponent ? digits(exponent, 10) : i;
    }
    if (i > digits) {
      String text = source.substring(pos, i).replace("_", "");
      queue.add(new Token(line, FLOAT, Double.parseDouble(text)));
      pos = i;
      return;
    }
    char c = source.charAt(pos);
    char mark = pos + 1 < source.length() ? (char) (source.charAt(pos + 1) | 0x20) : ' ';
    int radix = c != '0' ? 10 : mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    int from = pos;
    if (radix != 10) {
      int skipped = pos + 2 < source.length() && source.charAt(pos + 2) == '_' ? 3 : 2;
      i = digits(pos + skipped, radix);
      from = i > pos + skipped ? pos + skipped : from;
      radix = from == pos ? 10 : radix;
    }
    if (radix == 10) {
      i = c == '0' ? zeros(pos) : digits(pos, 10);
    }
    String text = source.substring(from, i).replace("_", "");
    if (text.length() > Numbers.MAX_DIGITS) {
      throw syntax(line, "Exceeds the limit (4300 digits) for integer string conversion");
    }
    queue.add(new Token(line, INTEGER, Numbers.normal(new BigInteger(text, radix))));
    pos = i;
  }

  /** The end of digits with single underscores between them; {@code from} when there is none. */
  private int digits(int from, int radix) {
    int i = from;
    while (i < source.length()) {
      boolean gap = source.charAt(i) == '_' && i > from && i + 1 < source.length();
      int at = gap ? i + 1 : i;
      if (source.charAt(at) > 'z' || Character.digit(source.charAt(at), radix) < 0) {
        break;
      }
      i = at + 1;
    }
    return i;
  }

  private int zeros(int from) {
    int i = from + 1;
    while (source.startsWith("0", i) || source.startsWith("_0", i)) {
      i += source.charAt(i) == '0' ? 1 : 2;
    }
    return i;
  }

  private void name() {
    int i = pos;
    while (i < source.length() && isNamePart(source.codePointAt(i))) {
      i += Character.charCount(source.codePointAt(i));
    }
    String name = source.substring(pos, i);
    if (!Strings.isIdentifier(name)) {
      throw syntax(line, "Invalid character in identifier");
    }
    queue.add(new Token(line, NAME, name));
    pos = i;
  }

  private static boolean isNamePart(int c) {
    return c == '_' || (c < 128 ? Character.isLetterOrDigit(c) : Strings.isIdentifierPart(c));
  }

  private void operator(char c) {
    String operator = "";
    for (String candidate : OPERATORS) {
      if (source.startsWith(candidate, pos)) {
        operator = candidate;
      }
    }
    if (operator.isEmpty()) {
      int index = SINGLE_OPERATORS.indexOf(c);
      if (index < 0) {
        String shown = new String(Character.toChars(source.codePointAt(pos)));
        int at = source.codePointCount(0, pos);
        throw syntax(line, "unexpected char " + Repr.repr(shown) + " at " + at);
      }
      operator = SINGLE_OPERATORS.substring(index, index + 1);
    }
    balance(c);
    queue.add(new Token(line, operator, operator));
    pos += operator.length();
  }

  private void balance(char c) {
    int open = "([{".indexOf(c);
    if (open >= 0) {
      brackets.append(")]}".charAt(open));
    } else if (")]}".indexOf(c) >= 0) {
      int last = brackets.length() - 1;
      if (last < 0) {
        throw syntax(line, "unexpected '" + c + "'");
      }
      if (brackets.charAt(last) != c) {
        throw syntax(line, "unexpected '" + c + "', expected '" + brackets.charAt(last) + "'");
      }
      brackets.setLength(last);
    }
  }

  private void string(char quote) {
    int close = pos + 1;
    while (close < source.length() && source.charAt(close) != quote) {
      close += source.charAt(close) == '\\' ? 2 : 1;
    }
    if (close >= source.length()) {
      int at = source.codePointCount(0, pos);
      throw syntax(line, "unexpected char " + Repr.repr(String.valueOf(quote)) + " at " + at);
    }
    String text = source.substring(pos + 1, close);
    queue.add(new Token(line, STRING, text.indexOf('\\') < 0 ? text : unescaped(text)));
    moveTo(close + 1);
  }

  /** Python's "unicode-escape"; an unknown escape stays as it is. */
  private String unescaped(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c != '\\') {
        out.append(c);
        continue;
      }
      c = text.charAt(++i);
      int simple = "\\'\"abfnrtv".indexOf(c);
      if (simple >= 0) {
        out.append("\\'\"\u0007\b\f\n\r\t\u000b".charAt(simple));
      } else if (c >= '0' && c <= '7') {
        int from = i;
        while (i + 1 < text.length()
            && i - from < 2
            && "01234567".indexOf(text.charAt(i + 1)) >= 0) {
          i++;
        }
        out.append((char) Integer.parseInt(text, from, i + 1, 8));
      } else if (c == 'x' || c == 'u' || c == 'U') {
        int length = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        out.appendCodePoint(hex(text, i + 1, length, c));
        i += length;
      } else if (c == 'N') {
        int close = text.startsWith("{", i + 1) ? text.indexOf('}', i) : -1;
        out.appendCodePoint(named(close < 0 ? "" : text.substring(i + 2, close)));
        i = close;
      } else if (c > 127) {
        // Python turns other characters into escapes before it reads the escapes.
        int point = text.codePointAt(i);
        out.append(
            String.format(point < 256 ? "\\x%02x" : point < 65536 ? "\\u%04x" : "\\U%08x", point));
        i += Character.charCount(point) - 1;
      } else if (c != '\n') {
        out.append('\\').append(c);
      }
    }
    return out.toString();
  }

  private int hex(String text, int from, int length, char mark) {
    long value = 0;
    for (int i = from; i < from + length; i++) {
      int digit =
          i < text.length() && text.charAt(i) < 128 ? Character.digit(text.charAt(i), 16) : -1;
      if (digit < 0) {
        throw syntax(line, "truncated \\" + mark + "XXXXXXXX".substring(0, length) + " escape");
      }
      value = value * 16 + digit;
    }
    if (value > Character.MAX_CODE_POINT) {
      throw syntax(line, "illegal Unicode character");
    }
    return (int) value;
  }

  private int named(String name) {
    try {
      return Character.codePointOf(name);
    } catch (IllegalArgumentException e) {
      throw syntax(line, "unknown Unicode character name");
    }
  }
}
