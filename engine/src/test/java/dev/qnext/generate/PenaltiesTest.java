package dev.qnext.generate;

import static dev.qnext.generate.Replies.VOCABULARY;
import static dev.qnext.generate.Replies.ask;
import static dev.qnext.generate.Replies.joined;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.qnext.backend.Sampling;
import dev.qnext.mock.MockBackend;
import dev.qnext.mock.MockModel;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Penalties against their definitions, token by token. */
class PenaltiesTest {
  private final MockModel model = new MockModel(VOCABULARY);

  @Test
  void repliesFollowTheDefinitions() {
    Random random = new Random(30);
    int changed = 0;
    for (int i = 0; i < 60; i++) {
      int[] prompt = Replies.prompt(1 + random.nextInt(80), i);
      Penalties penalties =
          new Penalties(
              random.nextInt(3) == 0 ? 1 : 0.5f + 2 * random.nextFloat(),
              random.nextInt(3) == 0 ? 0 : 4 * random.nextFloat() - 1,
              random.nextInt(3) == 0 ? 0 : 2 * random.nextFloat() - 0.5f,
              bias(random));
      Sampling sampling = i % 3 == 0 ? Sampling.GREEDY : new Sampling(1.2f, i % 2 * 20, 0.9f, 0, i);
      int[] expected = expected(prompt, 40, sampling, penalties);
      Request request = new Request(prompt, 40, new int[0], sampling, penalties);
      try (Session session = new Session(model, 200)) {
        assertThat(ask(model, session, request).tokens())
            .describedAs("%s %s", penalties, sampling)
            .isEqualTo(expected);
      }
      changed += Arrays.equals(expected, Replies.expected(prompt, 40, sampling)) ? 0 : 1;
    }
    assertThat(changed).describedAs("replies that the penalties changed").isGreaterThan(50);
  }

  private static Map<Integer, Float> bias(Random random) {
    Map<Integer, Float> bias = new HashMap<>();
    for (int n = random.nextInt(4); n > 0; n--) {
      bias.put(random.nextInt(VOCABULARY), 10 * random.nextFloat() - 5);
    }
    return bias;
  }

  /**
   * Repetition: transformers' RepetitionPenaltyLogitsProcessor, over prompt and output. Presence
   * and frequency: OpenAI's API reference, over the output. Then the bias.
   */
  private static int[] expected(int[] prompt, int count, Sampling sampling, Penalties p) {
    int[] all = prompt;
    for (int n = 0; n < count; n++) {
      float[] logits = MockBackend.logits(VOCABULARY, all);
      for (int id = 0; id < VOCABULARY; id++) {
        int token = id;
        long inAll = Arrays.stream(all).filter(t -> t == token).count();
        long inOutput = Arrays.stream(all).skip(prompt.length).filter(t -> t == token).count();
        if (inAll > 0) {
          logits[id] = logits[id] < 0 ? logits[id] * p.repetition() : logits[id] / p.repetition();
        }
        logits[id] -= (inOutput > 0 ? p.presence() : 0) + inOutput * p.frequency();
        logits[id] += p.bias().getOrDefault(id, 0f);
      }
      all = joined(all, sampling.draw(logits, all.length));
    }
    return Arrays.copyOfRange(all, prompt.length, all.length);
  }

  @Test
  void aPenaltyThatIsLargeEnoughForbidsRepetition() {
    int[] prompt = Replies.prompt(10, 31);
    Penalties presence = new Penalties(1, 100, 0, Map.of());
    int[] tokens = reply(prompt, VOCABULARY, presence);
    assertThat(tokens).describedAs("every token once").doesNotHaveDuplicates();
    int[] repetition = reply(prompt, 60, new Penalties(1e6f, 0, 0, Map.of()));
    assertThat(repetition).describedAs("positive logits become 0").doesNotContain(prompt);
  }

  @Test
  void aBiasBansOrForcesAToken() {
    int[] prompt = Replies.prompt(10, 32);
    int first = reply(prompt, 1, Penalties.NONE)[0];
    Penalties ban = new Penalties(1, 0, 0, Map.of(first, Float.NEGATIVE_INFINITY));
    assertThat(reply(prompt, 50, ban)).doesNotContain(first);
    assertThat(reply(prompt, 50, new Penalties(1, 0, 0, Map.of(42, 100f)))).containsOnly(42);
  }

  private int[] reply(int[] prompt, int count, Penalties penalties) {
    try (Session session = new Session(model, 200)) {
      return ask(model, session, new Request(prompt, count, new int[0], Replies.WARM, penalties))
          .tokens();
    }
  }

  @Test
  void refusesValuesThatMeanNothing() {
    for (float repetition : new float[] {0, -1, Float.NaN, Float.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new Penalties(repetition, 0, 0, Map.of()))
          .withMessage("repetition penalty is %s but must be above 0".formatted(repetition));
    }
    assertThatIllegalArgumentException().isThrownBy(() -> new Penalties(1, Float.NaN, 0, Map.of()));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Penalties(1, 0, Float.NEGATIVE_INFINITY, Map.of()));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Penalties(1, 0, 0, Map.of(1, Float.NaN)))
        .withMessage("the logit bias of token 1 is NaN but must be finite, or -Infinity");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Penalties(1, 0, 0, Map.of(1, Float.POSITIVE_INFINITY)));
  }
}
