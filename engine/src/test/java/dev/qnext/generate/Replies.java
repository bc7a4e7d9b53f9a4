package dev.qnext.generate;

import dev.qnext.backend.Sampling;
import dev.qnext.mock.MockBackend;
import dev.qnext.mock.MockModel;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;

/** Short ways to ask a mock model, and what it must answer, by the plainest loop. */
final class Replies {
  static final int VOCABULARY = 97;
  static final Sampling WARM = new Sampling(0.8f, 40, 0.95f, 0.01f, 7);
  static final TokenListener ALL = id -> true;
  private static final int[] NO_STOP = {};

  private Replies() {}

  static int[] prompt(int length, long seed) {
    return new Random(seed).ints(length, 0, VOCABULARY).toArray();
  }

  static Request request(int[] prompt, int maxTokens, Sampling sampling) {
    return new Request(prompt, maxTokens, NO_STOP, sampling, Penalties.NONE);
  }

  static Result ask(MockModel model, Session session, Request request) {
    return new Generator(model).generate(session, request, ALL, new AtomicBoolean());
  }

  /** The whole text is read anew for every token. */
  static int[] expected(int[] prompt, int count, Sampling sampling) {
    int[] all = prompt;
    for (int i = 0; i < count; i++) {
      all = Arrays.copyOf(all, all.length + 1);
      float[] logits = MockBackend.logits(VOCABULARY, Arrays.copyOf(all, all.length - 1));
      all[all.length - 1] = sampling.draw(logits, all.length - 1);
    }
    return Arrays.copyOfRange(all, prompt.length, all.length);
  }

  static int[] joined(int[] a, int... b) {
    int[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }
}
