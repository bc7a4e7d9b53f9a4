package dev.qnext.generate;

import static dev.qnext.generate.Replies.VOCABULARY;
import static dev.qnext.generate.Replies.WARM;
import static dev.qnext.generate.Replies.ask;
import static dev.qnext.generate.Replies.expected;
import static dev.qnext.generate.Replies.joined;
import static dev.qnext.generate.Replies.prompt;
import static dev.qnext.generate.Replies.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.mock.MockModel;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Chunks, reuse and failures change no token, on an eager and on a deferred backend. */
@ParameterizedClass
@ValueSource(booleans = {false, true})
class SessionReuseTest {
  private final MockModel model = new MockModel(VOCABULARY);
  private final Session session = new Session(model, 8192);

  SessionReuseTest(boolean deferred) {
    model.backend().deferred = deferred;
  }

  @AfterEach
  void nothingIsLeftOpen() {
    session.close();
    assertThat(model.backend().openTensors).isZero();
    assertThat(model.backend().openStates).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 511, 512, 513, 1024, 1025, 3000})
  void aPromptIsReadInChunks(int length) {
    int[] prompt = prompt(length, 20);
    assertThat(ask(model, session, request(prompt, 5, WARM)).tokens())
        .isEqualTo(expected(prompt, 5, WARM));
    int chunks = (length + 511) / 512;
    assertThat(model.backend().passes).hasSize(chunks + 4);
    assertThat(model.backend().passes.subList(0, chunks)).allMatch(tokens -> tokens <= 512);
    assertThat(model.backend().passes.subList(0, chunks).stream().mapToInt(i -> i).sum())
        .isEqualTo(length);
  }

  @Test
  void theBackendSaysHowLongAChunkIs() {
    model.backend().prefillTokens = length -> length < 100 ? 60 : length < 150 ? 20 : 1_000_000;
    int[] prompt = prompt(1000, 28);
    assertThat(ask(model, session, request(prompt, 1, WARM)).tokens())
        .isEqualTo(expected(prompt, 1, WARM));
    assertThat(model.backend().passes).containsExactly(60, 60, 20, 20, 840);
  }

  @Test
  void aLongerPromptContinues() {
    int[] prompt = prompt(30, 21);
    Result first = ask(model, session, request(prompt, 10, WARM));
    int[] longer = joined(joined(prompt, first.tokens()), prompt(700, 22));
    model.backend().passes.clear();
    Result second = ask(model, session, request(longer, 10, WARM));
    assertThat(second.reusedTokens()).isEqualTo(39);
    assertThat(model.backend().passes.subList(0, 2)).containsExactly(512, 740 - 39 - 512);
    assertThat(second.tokens()).isEqualTo(expected(longer, 10, WARM));
  }

  @Test
  void theSamePromptNeedsNoReading() {
    int[] prompt = prompt(30, 23);
    ask(model, session, request(prompt, 0, WARM));
    Result result = ask(model, session, request(prompt, 10, WARM));
    assertThat(result.reusedTokens()).isEqualTo(30);
    assertThat(result.readTokens()).isZero();
    assertThat(result.promptSpeed()).isZero();
    assertThat(result.tokens()).isEqualTo(expected(prompt, 10, WARM));

    // All that was read, as the prompt: the last token drawn is missing, and comes again.
    int[] all = session.ids();
    Result next = ask(model, session, request(all, 1, WARM));
    assertThat(next.reusedTokens()).isEqualTo(all.length);
    assertThat(next.tokens()).containsExactly(result.tokens()[9]);
  }

  @Test
  void anotherPromptStartsAnew() {
    int[] prompt = prompt(30, 24);
    ask(model, session, request(prompt, 10, WARM));
    for (int at : new int[] {0, 15, 29, 33}) {
      int[] other = joined(joined(prompt, expected(prompt, 9, WARM)), 1, 2, 3);
      other[at] = (other[at] + 1) % VOCABULARY;
      Result result = ask(model, session, request(other, 10, WARM));
      assertThat(result.reusedTokens()).describedAs("changed at %d", at).isZero();
      assertThat(result.tokens()).isEqualTo(expected(other, 10, WARM));
      ask(model, session, request(prompt, 10, WARM));
    }
    int[] shorter = Arrays.copyOf(prompt, 29);
    Result result = ask(model, session, request(shorter, 10, WARM));
    assertThat(result.reusedTokens()).isZero();
    assertThat(result.tokens()).isEqualTo(expected(shorter, 10, WARM));
  }

  @Test
  void aPositionsTokenIsTheSameWhenResumedFromALongerPrompt() {
    int[] prompt = prompt(40, 25);
    int[] tokens = expected(prompt, 60, WARM);
    for (int from : new int[] {1, 2, 17, 59}) {
      int[] longer = joined(prompt, Arrays.copyOf(tokens, from));
      try (Session fresh = new Session(model, 8192)) {
        assertThat(ask(model, fresh, request(longer, 60 - from, WARM)).tokens())
            .describedAs("resumed behind %d tokens, read anew", from)
            .isEqualTo(Arrays.copyOfRange(tokens, from, 60));
      }
      session.clear();
      ask(model, session, request(prompt, from, WARM));
      Result result = ask(model, session, request(longer, 60 - from, WARM));
      assertThat(result.reusedTokens()).isEqualTo(longer.length - 1);
      assertThat(result.tokens())
          .describedAs("resumed behind %d tokens, in the same session", from)
          .isEqualTo(Arrays.copyOfRange(tokens, from, 60));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 512, 1000, 1005})
  void aFailureOfAPassLeavesTheSessionFitForUse(int at) {
    int[] prompt = prompt(1000, 26);
    model.backend().beforeReading = length -> failAt(length == at);
    assertThatThrownBy(() -> ask(model, session, request(prompt, 10, WARM)))
        .isInstanceOf(OutOfMemoryError.class)
        .hasMessage("made up");
    model.backend().beforeReading = length -> {};
    assertRecovered(prompt);
  }

  /** A backend that computes late fails where its results are read. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7})
  void aFailureWhileDrawingLeavesTheSessionFitForUse(int at) {
    int[] prompt = prompt(600, 27);
    AtomicInteger draws = new AtomicInteger();
    model.backend().beforeSampling = () -> failAt(draws.incrementAndGet() == at);
    assertThatThrownBy(() -> ask(model, session, request(prompt, 10, WARM)))
        .isInstanceOf(OutOfMemoryError.class);
    assertRecovered(prompt);
  }

  private void assertRecovered(int[] prompt) {
    assertThat(session.ids()).isEmpty();
    Result result = ask(model, session, request(prompt, 10, WARM));
    assertThat(result.reusedTokens()).isZero();
    assertThat(result.tokens()).isEqualTo(expected(prompt, 10, WARM));
    assertThat(model.backend().openStates).isEqualTo(1);
  }

  private static void failAt(boolean now) {
    if (now) {
      throw new OutOfMemoryError("made up");
    }
  }
}
