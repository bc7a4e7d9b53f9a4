package dev.qnext.text;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Measures loading, encoding and decoding: {@code TokenizerSpeed TOKENIZER TEXT...}.
 *
 * <p>Best of seven, in processor time of the thread, so that a busy machine counts less; MB are
 * 10^6 bytes of UTF-8. A program, not a test.
 */
final class TokenizerSpeed {
  private static final int ROUNDS = 7;

  private TokenizerSpeed() {}

  private interface Work {
    int run() throws IOException;
  }

  public static void main(String[] arguments) throws IOException {
    Path file = Path.of(arguments[0]);
    System.out.printf("load: %.0f ms%n", milliseconds(() -> Tokenizer.load(file).size()));
    Tokenizer tokenizer = Tokenizer.load(file);
    for (int i = 1; i < arguments.length; i++) {
      byte[] bytes = Files.readAllBytes(Path.of(arguments[i]));
      String text = new String(bytes, StandardCharsets.UTF_8);
      int[] ids = tokenizer.encode(text);
      double megabytes = bytes.length / 1e6;
      System.out.printf(
          "%s: %d tokens, encode %.1f MB/s, decode %.1f MB/s%n",
          arguments[i],
          ids.length,
          megabytes / milliseconds(() -> tokenizer.encode(text).length) * 1000,
          megabytes / milliseconds(() -> tokenizer.decode(ids).length()) * 1000);
    }
  }

  private static double milliseconds(Work work) throws IOException {
    double best = Double.MAX_VALUE;
    for (int i = 0; i < ROUNDS; i++) {
      long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
      if (work.run() == 0) {
        throw new IllegalStateException("nothing was done");
      }
      long end = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
      best = Math.min(best, (end - start) / 1e6);
    }
    return best;
  }
}
