package dev.qnext.text;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A pull reader for the two large containers of a tokenizer.json, 450,000 strings that every start
 * of the program waits for: it makes no object for a string. Small values go to {@link Json}.
 *
 * <p>Containers are read as {@code for (boolean more = open('{', '}'); more; more = more('}'))}.
 * Every error is a {@link QnextException} that names the file and the byte.
 */
final class TokenizerJson {
  private final String file;
  private final byte[] json;
  private int at;
  private char[] chars = new char[256];
  private int length;

  TokenizerJson(String file, byte[] json) {
    this.file = file;
    this.json = json;
  }

  /** Whether a container of this kind comes next. */
  boolean opens(char open) {
    return peek() == open;
  }

  /** Enters a container; false where it is empty, and then behind it. */
  boolean open(char open, char close) {
    require(open);
    if (peek() == close) {
      at++;
      return false;
    }
    return true;
  }

  /** Goes on to the next item; false at the container's end, and then behind it. */
  boolean more(char close) {
    if (peek() == close) {
      at++;
      return false;
    }
    require(',');
    return true;
  }

  void require(char c) {
    if (peek() != c) {
      throw broken("'" + c + "'");
    }
    at++;
  }

  /** Nothing but white space is left. */
  void requireEnd() {
    if (peek() >= 0) {
      throw broken("the end");
    }
  }

  /** Reads a string, for {@link #text} and {@link #byteLevel} until the next one. */
  void string() {
    require('"');
    length = 0;
    for (int b = read(); b != '"'; b = read()) {
      if (b == '\\') {
        append(escape());
      } else if (b >= 0x80) {
        multibyte(b);
      } else if (b >= 0x20) {
        append((char) b);
      } else {
        throw broken("an escaped control character");
      }
    }
  }

  /** The string that was read. */
  String text() {
    return new String(chars, 0, length);
  }

  /** The bytes that the string stands for in the byte-level alphabet, or null. */
  byte @Nullable [] byteLevel() {
    return ByteLevel.bytes(chars, 0, length);
  }

  /** Reads a whole number of at most nine digits without a sign. */
  int integer() {
    int value = 0;
    int digits = 0;
    for (int b = peek(); b >= '0' && b <= '9'; b = at < json.length ? json[at] : -1) {
      if (++digits > 9) {
        throw broken("a whole number of nine digits");
      }
      value = value * 10 + b - '0';
      at++;
    }
    if (digits == 0) {
      throw broken("a whole number");
    }
    return value;
  }

  /** Reads any value, as {@link Json} gives it. */
  @Nullable Object value() {
    int start = at;
    int depth = 0;
    do {
      int b = peek();
      if (b < 0) {
        throw broken("a value");
      } else if (b == '"') {
        string();
      } else if ("{}[],:".indexOf(b) >= 0) {
        depth += b == '{' || b == '[' ? 1 : b == '}' || b == ']' ? -1 : 0;
        at++;
      } else {
        while (at < json.length && "{}[],:\" \t\r\n".indexOf(json[at]) < 0) {
          at++;
        }
      }
    } while (depth > 0);
    return Json.parse(new String(json, start, at - start, StandardCharsets.UTF_8), file);
  }

  /** The next byte that is not white space, or -1 at the end. */
  private int peek() {
    while (at < json.length) {
      byte b = json[at];
      if (b != ' ' && b != '\n' && b != '\r' && b != '\t') {
        return b & 0xFF;
      }
      at++;
    }
    return -1;
  }

  private int read() {
    if (at == json.length) {
      throw broken("the end of a string");
    }
    return json[at++] & 0xFF;
  }

  private char escape() {
    int b = read();
    return switch (b) {
      case '"', '\\', '/' -> (char) b;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> {
        int unit = 0;
        for (int i = 0; i < 4; i++) {
          int digit = Character.digit(read(), 16);
          if (digit < 0) {
            throw broken("four hexadecimal digits");
          }
          unit = unit << 4 | digit;
        }
        yield (char) unit;
      }
      default -> throw broken("an escape");
    };
  }

  /** The rest of a character of two bytes or more; most are of two, as the alphabet is. */
  private void multibyte(int first) {
    int second = at < json.length ? json[at] & 0xFF : 0;
    if (first >= 0xC2 && first < 0xE0 && (second & 0xC0) == 0x80) {
      at++;
      append((char) ((first & 0x1F) << 6 | second & 0x3F));
      return;
    }
    int from = at - 1;
    int to = Math.min(json.length, from + (first < 0xF0 ? 3 : 4));
    String character = new String(json, from, to - from, StandardCharsets.UTF_8);
    if (!Arrays.equals(
        character.getBytes(StandardCharsets.UTF_8), Arrays.copyOfRange(json, from, to))) {
      throw broken("UTF-8");
    }
    for (int i = 0; i < character.length(); i++) {
      append(character.charAt(i));
    }
    at = to;
  }

  private void append(char c) {
    if (length == chars.length) {
      chars = Arrays.copyOf(chars, 2 * length);
    }
    chars[length++] = c;
  }

  private QnextException broken(String wanted) {
    return new QnextException(
        "%s is not valid JSON: %s is missing at byte %d; download it again"
            .formatted(file, wanted, at));
  }
}
