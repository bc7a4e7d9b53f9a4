package dev.qnext.generate;

import static dev.qnext.generate.Replies.ALL;
import static dev.qnext.generate.Replies.VOCABULARY;
import static dev.qnext.generate.Replies.WARM;
import static dev.qnext.generate.Replies.ask;
import static dev.qnext.generate.Replies.expected;
import static dev.qnext.generate.Replies.prompt;
import static dev.qnext.generate.Replies.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.generate.Result.End;
import dev.qnext.mock.MockBackend;
import dev.qnext.mock.MockModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When steps are built, started, read and dropped. */
class DecoderTest {
  private final MockModel model = new MockModel(VOCABULARY);
  private final MockBackend backend = model.backend();
  private final Session session = new Session(model, 1000);
  private final List<String> operations = new ArrayList<>();
  private final int[] prompt = prompt(20, 50);

  private Result generate(Request request, TokenListener listener) {
    Result result = new Generator(model).generate(session, request, listener, new AtomicBoolean());
    backend.beforeOperation = name -> {};
    return result;
  }

  /** Starts and reads in their order, with what the listener hears. */
  private void record() {
    backend.beforeOperation =
        name -> {
          switch (name) {
            case "start" -> operations.add("start");
            case "readTokens" -> operations.add("read");
            default -> {}
          }
        };
  }

  private boolean hear(int id) {
    operations.add("hear");
    return true;
  }

  @Test
  void aDeferredStepIsStartedBeforeTheTokenBeforeItIsRead() {
    backend.deferred = true;
    record();
    generate(request(prompt, 4, WARM), this::hear);
    assertThat(String.join(" ", operations))
        .isEqualTo("start start read hear start read hear start read hear read hear");
  }

  @Test
  void anEagerStepWaitsForTheListener() {
    record();
    generate(request(prompt, 4, WARM), this::hear);
    assertThat(String.join(" ", operations))
        .isEqualTo("start read hear start read hear start read hear start read hear");
  }

  @Test
  void penaltiesNeedEveryTokenBeforeTheNextStep() {
    backend.deferred = true;
    record();
    Penalties penalties = new Penalties(1.3f, 0.2f, 0.1f, Map.of(3, 1f));
    Result deferred = generate(new Request(prompt, 40, new int[0], WARM, penalties), this::hear);
    assertThat(operations)
        .hasSize(120)
        .isEqualTo(
            List.of(String.join(" ", Collections.nCopies(40, "start read hear")).split(" ")));
    backend.deferred = false;
    Result eager = generate(new Request(prompt, 40, new int[0], WARM, penalties), ALL);
    assertThat(deferred.tokens()).isEqualTo(eager.tokens());
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void noStepIsInVainWhenTheEndIsKnownBeforehand(boolean deferred) {
    backend.deferred = deferred;
    ask(model, session, request(prompt, 10, WARM));
    assertThat(backend.passes).hasSize(1 + 9);
    backend.passes.clear();
    try (Session small = new Session(model, 32)) {
      assertThat(ask(model, small, request(prompt, 100, WARM)).end()).isEqualTo(End.CONTEXT);
    }
    assertThat(backend.passes).hasSize(1 + 11);
    backend.passes.clear();
    ask(model, session, request(prompt(7, 1), 0, WARM));
    assertThat(backend.passes).hasSize(1);
  }

  @Test
  void oneStepIsInVainWhenATokenEndsTheReply() {
    backend.deferred = true;
    int[] tokens = expected(prompt, 10, WARM);
    int[] heard = new int[1];
    generate(request(prompt, 100, WARM), id -> ++heard[0] < 10);
    assertThat(backend.passes).hasSize(1 + 10);
    assertThat(session.ids()).isEqualTo(Replies.joined(prompt, Arrays.copyOf(tokens, 9)));
  }

  // ---------------------------------------------------------------------------------------- leaks

  private static final int REPLY = 6;

  /** A reply that a stop ends while a step is ahead of it, or that its length ends. */
  private Result reply(boolean stopped) {
    int[] heard = new int[1];
    return generate(request(prompt, 30, WARM), id -> ++heard[0] < REPLY || !stopped);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aFailureAtAnyOperationLeaksNothing(boolean deferred) {
    backend.deferred = deferred;
    backend.prefillTokens = length -> 8;
    for (boolean stopped : new boolean[] {false, true}) {
      session.clear();
      int[] count = new int[1];
      backend.beforeOperation = name -> count[0]++;
      assertThat(reply(stopped).tokens()).isEqualTo(expected(prompt, stopped ? REPLY : 30, WARM));
      int operations = count[0];
      assertThat(operations).isGreaterThan(REPLY * 8);
      for (int at = 0; at < operations; at++) {
        session.clear();
        int[] left = {at};
        String[] failed = {""};
        backend.beforeOperation =
            name -> {
              if (left[0]-- == 0) {
                failed[0] = name;
                throw new OutOfMemoryError("made up");
              }
            };
        assertThatThrownBy(() -> reply(stopped)).hasMessage("made up");
        String where = "operation %d: %s".formatted(at, failed[0]);
        backend.beforeOperation = name -> {};
        assertThat(backend.openTensors).describedAs(where).isZero();
        assertThat(backend.openStates).describedAs(where).isEqualTo(1);
        assertThat(session.ids()).describedAs(where).isEmpty();
        assertThat(reply(true).tokens())
            .describedAs(where)
            .isEqualTo(expected(prompt, REPLY, WARM));
      }
    }
    session.close();
    assertThat(backend.openTensors).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aListenerThatFailsLeaksNothing(boolean deferred) {
    backend.deferred = deferred;
    assertThatThrownBy(() ->
            generate(
                request(prompt, 30, WARM),
                id -> {
                  throw new IllegalStateException("made up");
                }))
        .hasMessage("made up")
        .hasNoSuppressedExceptions();
    assertThat(backend.openTensors).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aReplyHoldsAsManyTensorsAtItsEndAsAtItsStart(boolean deferred) {
    backend.deferred = deferred;
    List<Integer> open = new ArrayList<>();
    generate(request(prompt, 900, WARM), id -> open.add(backend.openTensors));
    // Hidden state and token; the step ahead has its own.
    assertThat(open.subList(0, 899)).containsOnly(deferred ? 4 : 2);
    assertThat(open.getLast()).isEqualTo(2);
    assertThat(backend.openTensors).describedAs("the hidden state").isEqualTo(1);
  }
}
