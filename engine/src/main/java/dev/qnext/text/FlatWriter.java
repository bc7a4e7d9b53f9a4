package dev.qnext.text;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Numbers, arrays and text one after the other, little-endian; arrays and text begin with their
 * length. {@link FlatReader} reads them in the same order.
 */
final class FlatWriter {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 16);

  byte[] written() {
    return out.toByteArray();
  }

  void number(int value) {
    out.writeBytes(buffer(Integer.BYTES).putInt(value).array());
  }

  void flag(boolean value) {
    number(value ? 1 : 0);
  }

  void text(String text) {
    bytes(text.getBytes(StandardCharsets.UTF_8));
  }

  void bytes(byte[] values) {
    number(values.length);
    out.writeBytes(values);
  }

  void ints(int[] values) {
    number(values.length);
    ByteBuffer buffer = buffer(values.length * Integer.BYTES);
    buffer.asIntBuffer().put(values);
    out.writeBytes(buffer.array());
  }

  void longs(long[] values) {
    number(values.length);
    ByteBuffer buffer = buffer(values.length * Long.BYTES);
    buffer.asLongBuffer().put(values);
    out.writeBytes(buffer.array());
  }

  private static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }
}
