package dev.qnext.bench;

import dev.qnext.text.Tokenizer;
import java.nio.file.Path;

/**
 * What a process waits for its tokenizer: {@code TokenizerStart TOKENIZER.json} prints the
 * milliseconds from the call that loads it to the ids of a first prompt.
 */
public final class TokenizerStart {
  private TokenizerStart() {}

  /** Prints one number. */
  public static void main(String[] arguments) {
    long start = System.nanoTime();
    int[] ids =
        Tokenizer.load(Path.of(arguments[0])).encode("Tell me a bedtime story about a bear.");
    long end = System.nanoTime();
    System.out.println(ids.length == 0 ? "no ids" : (end - start) / 1000 / 1e3);
  }
}
