package dev.qnext.text;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The alphabet in which a byte-level vocabulary is written: one printable character for each byte.
 *
 * <p>The bytes 21-7E, A1-AC and AE-FF (hex) are the character of the same number; the other 68, in
 * ascending order, are U+0100, U+0101 and so on, so that a space reads {@code Ġ} and a line feed
 * {@code Ċ}. Source: {@code bytes_to_unicode} of GPT-2's {@code encoder.py}.
 */
final class ByteLevel {
  private static final int CHARS = 256 + 68;
  private static final short[] BYTE_OF_CHAR = new short[CHARS];

  static {
    int next = 256;
    for (int b = 0; b < 256; b++) {
      boolean printable = b >= 0x21 && b <= 0x7E || b >= 0xA1 && b != 0xAD;
      BYTE_OF_CHAR[b] = (short) (printable ? b : -1);
      if (!printable) {
        BYTE_OF_CHAR[next++] = (short) b;
      }
    }
  }

  private ByteLevel() {}

  /** The bytes that {@code chars[from, to)} stand for, or null where one is not of the alphabet. */
  static byte @Nullable [] bytes(char[] chars, int from, int to) {
    byte[] bytes = new byte[to - from];
    for (int i = from; i < to; i++) {
      int b = chars[i] < CHARS ? BYTE_OF_CHAR[chars[i]] : -1;
      if (b < 0) {
        return null;
      }
      bytes[i - from] = (byte) b;
    }
    return bytes;
  }

  static byte @Nullable [] bytes(String token) {
    return bytes(token.toCharArray(), 0, token.length());
  }

  /**
   * The bytes that a token decodes to: those its characters stand for, or its own text in UTF-8
   * where a character is not of the alphabet, as in an added token with a space.
   */
  static byte[] decoded(String token) {
    byte[] bytes = bytes(token);
    return bytes == null ? token.getBytes(StandardCharsets.UTF_8) : bytes;
  }
}
