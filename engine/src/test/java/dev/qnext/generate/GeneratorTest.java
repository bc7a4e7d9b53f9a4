package dev.qnext.generate;

import static dev.qnext.generate.Replies.ALL;
import static dev.qnext.generate.Replies.VOCABULARY;
import static dev.qnext.generate.Replies.WARM;
import static dev.qnext.generate.Replies.ask;
import static dev.qnext.generate.Replies.expected;
import static dev.qnext.generate.Replies.prompt;
import static dev.qnext.generate.Replies.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.qnext.QnextException;
import dev.qnext.backend.Sampling;
import dev.qnext.generate.Result.End;
import dev.qnext.mock.MockModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What one reply is, how it ends and what it reports, on an eager and on a deferred backend. */
@ParameterizedClass
@ValueSource(booleans = {false, true})
class GeneratorTest {
  private static final int CAPACITY = 4096;

  private final MockModel model = new MockModel(VOCABULARY);
  private final Generator generator = new Generator(model);
  private final Session session = new Session(model, CAPACITY);

  GeneratorTest(boolean deferred) {
    model.backend().deferred = deferred;
  }

  @AfterEach
  void nothingIsLeftOpen() {
    session.close();
    assertThat(model.backend().openTensors).isZero();
    assertThat(model.backend().openStates).isZero();
  }

  private Result generate(Request request, TokenListener listener, AtomicBoolean cancelled) {
    return generator.generate(session, request, listener, cancelled);
  }

  @Test
  void greedyTokensAreTheLargestLogits() {
    int[] prompt = prompt(20, 1);
    assertThat(ask(model, session, request(prompt, 100, Sampling.GREEDY)).tokens())
        .isEqualTo(expected(prompt, 100, Sampling.GREEDY));
  }

  @Test
  void sampledTokensAreDrawnForTheirAbsolutePosition() {
    int[] prompt = prompt(20, 2);
    int[] tokens = ask(model, session, request(prompt, 100, WARM)).tokens();
    assertThat(tokens)
        .isEqualTo(expected(prompt, 100, WARM))
        .isNotEqualTo(expected(prompt, 100, Sampling.GREEDY));
  }

  @Test
  void seedDecidesTheDraw() {
    int[] prompt = prompt(20, 3);
    Sampling other = new Sampling(0.8f, 40, 0.95f, 0.01f, 8);
    int[] first = ask(model, session, request(prompt, 50, WARM)).tokens();
    assertThat(ask(model, session, request(prompt, 50, WARM)).tokens()).isEqualTo(first);
    assertThat(ask(model, session, request(prompt, 50, other)).tokens()).isNotEqualTo(first);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 63, 64, 65, 200})
  void endsWithAsManyTokensAsAskedFor(int count) {
    int[] prompt = prompt(5, 4);
    List<Integer> heard = new ArrayList<>();
    Result result =
        generate(request(prompt, count, Sampling.GREEDY), id -> heard.add(id), new AtomicBoolean());
    assertThat(result.end()).isEqualTo(End.MAX_TOKENS);
    assertThat(result.tokens()).isEqualTo(expected(prompt, count, Sampling.GREEDY));
    assertThat(heard).containsExactlyElementsOf(Arrays.stream(result.tokens()).boxed().toList());
    // The last token is drawn, not read.
    assertThat(session.ids()).hasSize(prompt.length + Math.max(0, count - 1));
  }

  @Test
  void stopIdEndsTheReplyAndIsNoPartOfIt() {
    int[] prompt = prompt(5, 5);
    int[] tokens = expected(prompt, 40, Sampling.GREEDY);
    int stop = tokens[30];
    int first = 0;
    while (tokens[first] != stop) {
      first++;
    }
    List<Integer> heard = new ArrayList<>();
    Result result =
        generate(
            new Request(
                prompt, 40, new int[] {VOCABULARY + 5, stop}, Sampling.GREEDY, Penalties.NONE),
            heard::add,
            new AtomicBoolean());
    assertThat(result.end()).isEqualTo(End.STOP_ID);
    assertThat(result.tokens()).isEqualTo(Arrays.copyOf(tokens, first));
    assertThat(heard).hasSize(first);
  }

  @Test
  void stopIdAsTheFirstTokenGivesAnEmptyReply() {
    int[] prompt = prompt(5, 6);
    int[] stop = expected(prompt, 1, Sampling.GREEDY);
    Result result =
        generate(
            new Request(prompt, 40, stop, Sampling.GREEDY, Penalties.NONE),
            ALL,
            new AtomicBoolean());
    assertThat(result.end()).isEqualTo(End.STOP_ID);
    assertThat(result.tokens()).isEmpty();
    assertThat(result.generationSpeed()).isZero();
  }

  @Test
  void listenerEndsTheReplyWithTheTokenItRefused() {
    int[] prompt = prompt(5, 7);
    List<Integer> heard = new ArrayList<>();
    Result result =
        generate(
            request(prompt, 40, Sampling.GREEDY),
            id -> heard.add(id) && heard.size() < 7,
            new AtomicBoolean());
    assertThat(result.end()).isEqualTo(End.STOPPED);
    assertThat(result.tokens()).isEqualTo(expected(prompt, 7, Sampling.GREEDY));
  }

  @Test
  void contextEndsTheReplyWhenPromptAndReplyFillIt() {
    int[] prompt = prompt(20, 8);
    try (Session small = new Session(model, 32)) {
      Result result = ask(model, small, request(prompt, 1000, Sampling.GREEDY));
      assertThat(result.end()).isEqualTo(End.CONTEXT);
      assertThat(result.tokens()).isEqualTo(expected(prompt, 12, Sampling.GREEDY));
    }
    try (Session small = new Session(model, 32)) {
      Result result = ask(model, small, request(prompt, 12, Sampling.GREEDY));
      assertThat(result.end()).describedAs("asked for just what fits").isEqualTo(End.MAX_TOKENS);
      assertThat(result.tokens()).hasSize(12);
    }
    try (Session small = new Session(model, 21)) {
      Result result = ask(model, small, request(prompt, 1000, Sampling.GREEDY));
      assertThat(result.end()).isEqualTo(End.CONTEXT);
      assertThat(result.tokens()).hasSize(1);
    }
  }

  @Test
  void refusesAPromptThatFillsTheContext() {
    try (Session small = new Session(model, 1500)) {
      assertThatExceptionOfType(QnextException.class)
          .isThrownBy(() -> ask(model, small, request(prompt(1500, 9), 1, Sampling.GREEDY)))
          .withMessage(
              "the prompt has 1,500 tokens, but the context holds 1,500 including the answer; shorten the prompt or start a new conversation");
      assertThat(ask(model, small, request(prompt(1499, 9), 1, Sampling.GREEDY)).tokens())
          .hasSize(1);
    }
  }

  @Test
  void refusesWhatTheModelDoesNotHave() {
    assertThatExceptionOfType(QnextException.class)
        .isThrownBy(() -> ask(model, session, request(new int[0], 1, Sampling.GREEDY)))
        .withMessage("the prompt is empty");
    for (int id : new int[] {-1, VOCABULARY, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
      assertThatExceptionOfType(QnextException.class)
          .isThrownBy(() -> ask(model, session, request(new int[] {1, id}, 1, Sampling.GREEDY)))
          .withMessage("token id %d is outside the model's vocabulary of 97".formatted(id));
      Penalties bias = new Penalties(1, 0, 0, Map.of(id, 1f));
      assertThatExceptionOfType(QnextException.class)
          .isThrownBy(
              () -> ask(model, session, new Request(prompt(3, 1), 1, new int[0], WARM, bias)))
          .withMessage(
              "a logit bias is given for token id %d, which is outside the model's vocabulary of 97"
                  .formatted(id));
    }
    assertThatIllegalArgumentException().isThrownBy(() -> request(prompt(3, 1), -1, WARM));
    assertThat(model.backend().passes).describedAs("nothing was read").isEmpty();
  }

  @Test
  void cancelledBeforeItBegins() {
    Result result = generate(request(prompt(2000, 10), 10, WARM), ALL, new AtomicBoolean(true));
    assertThat(result.end()).isEqualTo(End.CANCELLED);
    assertThat(result.tokens()).isEmpty();
    assertThat(model.backend().passes).isEmpty();
    assertThat(result.promptSpeed()).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 10})
  void cancelledWhileThePromptIsRead(int maxTokens) {
    AtomicBoolean cancelled = new AtomicBoolean();
    model.backend().beforeReading = length -> cancelled.set(length >= 1024);
    int[] prompt = prompt(2000, 11);
    Result result = generate(request(prompt, maxTokens, WARM), ALL, cancelled);
    assertThat(result.end()).isEqualTo(End.CANCELLED);
    assertThat(result.tokens()).isEmpty();
    assertThat(result.promptTokens()).isEqualTo(2000);
    assertThat(result.readTokens()).isEqualTo(1536);
    assertThat(result.promptSpeed()).isPositive().isLessThan(1536 * 1e9);
    assertThat(session.ids()).isEqualTo(Arrays.copyOf(prompt, 1536));

    Result next = ask(model, session, request(prompt, 10, WARM));
    assertThat(next.reusedTokens()).isEqualTo(1536);
    assertThat(next.tokens()).isEqualTo(expected(prompt, 10, WARM));
  }

  @Test
  void cancelledBetweenTokens() {
    AtomicBoolean cancelled = new AtomicBoolean();
    List<Integer> heard = new ArrayList<>();
    int[] prompt = prompt(8, 12);
    Result result =
        generate(
            request(prompt, 50, WARM),
            id -> {
              heard.add(id);
              cancelled.set(heard.size() == 9);
              return true;
            },
            cancelled);
    assertThat(result.end()).isEqualTo(End.CANCELLED);
    assertThat(result.tokens()).isEqualTo(expected(prompt, 9, WARM));
  }

  @Test
  void figuresOfAResult() {
    int[] prompt = prompt(1000, 13);
    model.backend().beforeReading = length -> sleep(length < prompt.length ? 20 : 1);
    Result result = ask(model, session, request(prompt, 11, WARM));
    assertThat(result.promptTokens()).isEqualTo(1000);
    assertThat(result.reusedTokens()).isZero();
    assertThat(result.readTokens()).isEqualTo(1000);
    // Two chunks of 20 ms; ten further tokens of 1 ms.
    assertThat(result.promptNanos()).isGreaterThanOrEqualTo(40_000_000);
    assertThat(result.generationNanos()).isGreaterThanOrEqualTo(10_000_000);
    assertThat(result.promptSpeed()).isEqualTo(1000 * 1e9 / result.promptNanos());
    assertThat(result.generationSpeed()).isEqualTo(10 * 1e9 / result.generationNanos());

    Result again = ask(model, session, request(Replies.joined(prompt, result.tokens()), 1, WARM));
    assertThat(again.promptTokens()).isEqualTo(1011);
    assertThat(again.reusedTokens()).isEqualTo(1010);
    assertThat(again.readTokens()).isEqualTo(1);
    assertThat(again.generationSpeed()).describedAs("one token is the prompt's").isZero();
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
