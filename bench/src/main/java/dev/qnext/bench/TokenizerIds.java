package dev.qnext.bench;

import dev.qnext.text.Tokenizer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;

/**
 * Number and CRC-32 of the ids of texts, as bench/peers.py prints them: {@code TokenizerIds
 * TOKENIZER.json TEXT...}.
 */
public final class TokenizerIds {
  private TokenizerIds() {}

  /** A line for each text. */
  public static void main(String[] arguments) throws IOException {
    Tokenizer tokenizer = Tokenizer.load(Path.of(arguments[0]));
    for (int i = 1; i < arguments.length; i++) {
      Path file = Path.of(arguments[i]);
      int[] ids = tokenizer.encode(Files.readString(file));
      ByteBuffer bytes = ByteBuffer.allocate(ids.length * 4).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asIntBuffer().put(ids);
      CRC32 checksum = new CRC32();
      checksum.update(bytes);
      System.out.printf("%s %d %08x%n", file.getFileName(), ids.length, checksum.getValue());
    }
  }
}
