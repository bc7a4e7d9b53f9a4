package dev.qnext.text;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Reads what a {@link FlatWriter} wrote, each array by one copy. */
final class FlatReader {
  private final ByteBuffer in;

  /** Reads from the buffer's position on, and moves it. */
  FlatReader(ByteBuffer in) {
    this.in = in.order(ByteOrder.LITTLE_ENDIAN);
  }

  int number() {
    return in.getInt();
  }

  boolean flag() {
    return number() != 0;
  }

  String text() {
    return new String(bytes(), StandardCharsets.UTF_8);
  }

  byte[] bytes() {
    byte[] values = new byte[number()];
    in.get(values);
    return values;
  }

  int[] ints() {
    int[] values = new int[number()];
    in.asIntBuffer().get(values);
    in.position(in.position() + values.length * Integer.BYTES);
    return values;
  }

  long[] longs() {
    long[] values = new long[number()];
    in.asLongBuffer().get(values);
    in.position(in.position() + values.length * Long.BYTES);
    return values;
  }
}
