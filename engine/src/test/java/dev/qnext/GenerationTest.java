package dev.qnext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.backend.Sampling;
import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.TextFolder;
import dev.qnext.generate.Penalties;
import dev.qnext.generate.Request;
import dev.qnext.generate.Result.End;
import dev.qnext.generate.Session;
import dev.qnext.mock.MockBackend;
import dev.qnext.text.TextStream;
import dev.qnext.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** A reply between the engine's thread and its reader. */
@Timeout(30)
@ParameterizedClass
@ValueSource(booleans = {false, true})
class GenerationTest {
  private static final int QUEUE = 64;

  private final MockBackend mock = new MockBackend(512);
  private final AtomicInteger drawn = new AtomicInteger();
  private final Engine engine = Engine.openOn(Golden.path("tiny/hf"), () -> mock);
  private final Session session = engine.newSession(1_000_000);

  GenerationTest(boolean deferred) {
    mock.deferred = deferred;
  }

  @AfterEach
  void close() {
    engine.close();
    assertThat(mock.openTensors).isZero();
    assertThat(mock.openStates).isZero();
  }

  private Generation start(int maxTokens) {
    mock.beforeSampling = drawn::incrementAndGet;
    int[] prompt = {1, 2, 3};
    return engine.generate(
        session, new Request(prompt, maxTokens, new int[0], Sampling.GREEDY, Penalties.NONE), null);
  }

  private static List<Integer> read(Generation generation) throws InterruptedException {
    List<Integer> ids = new ArrayList<>();
    for (Generation.Token token; (token = generation.next()) != null; ) {
      ids.add(token.id());
    }
    return ids;
  }

  private static List<Integer> list(int[] ids) {
    return Arrays.stream(ids).boxed().toList();
  }

  @Test
  void everyTokenArrivesInOrder() throws InterruptedException {
    Generation generation = start(1000);
    List<Integer> ids = read(generation);
    assertThat(ids).hasSize(1000).isEqualTo(list(generation.result().tokens()));
    assertThat(generation.result().end()).isEqualTo(End.MAX_TOKENS);
    assertThat(generation.next()).describedAs("the end stays the end").isNull();
  }

  @Test
  void theModelIsNeverFarAheadOfASlowReader() throws InterruptedException {
    Generation generation = start(1000);
    List<Integer> ids = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      waitForDraws(i + QUEUE + 1);
      Thread.sleep(150);
      // One is in the engine's hands.
      assertThat(drawn.get()).isEqualTo(i + QUEUE + 1);
      ids.add(generation.next().id());
    }
    ids.addAll(read(generation));
    assertThat(ids).isEqualTo(list(generation.result().tokens())).hasSize(1000);
  }

  private void waitForDraws(int count) throws InterruptedException {
    while (drawn.get() < count) {
      Thread.sleep(1);
    }
  }

  @Test
  void aReaderThatCancelsAndNeverReadsAgainLetsTheEngineGoOn() throws InterruptedException {
    Generation abandoned = start(900_000);
    waitForDraws(QUEUE + 1);
    abandoned.cancel();
    session(); // waits for the engine's thread
    assertThat(drawn.get()).isLessThan(QUEUE + 10);
    assertThat(read(start(100))).hasSize(100);

    // Who looks again after all finds an end, and the whole result.
    List<Integer> ids = read(abandoned);
    assertThat(abandoned.result().end()).isEqualTo(End.CANCELLED);
    assertThat(list(abandoned.result().tokens())).containsSubsequence(ids);
  }

  private void session() {
    engine.close(engine.newSession(10));
  }

  @Test
  void cancelledWhileItWaitsForTheThread() throws InterruptedException {
    CountDownLatch go = new CountDownLatch(1);
    mock.beforeReading = length -> await(go);
    Generation first = start(10);
    Generation second = start(10);
    second.cancel();
    go.countDown();
    assertThat(read(first)).hasSize(10);
    assertThat(read(second)).isEmpty();
    assertThat(second.result().end()).isEqualTo(End.CANCELLED);
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await(20, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void cancelAfterTheEndChangesNothing() throws InterruptedException {
    Generation generation = start(10);
    assertThat(read(generation)).hasSize(10);
    generation.cancel();
    assertThat(generation.next()).isNull();
    assertThat(generation.result().end()).isEqualTo(End.MAX_TOKENS);
  }

  @Test
  void aFailureInsideTheModelReachesTheReader() throws InterruptedException {
    OutOfMemoryError failure = new OutOfMemoryError("made up");
    mock.beforeReading =
        length -> {
          if (length == 13) {
            throw failure;
          }
        };
    Generation generation = start(100);
    for (int i = 0; i < 11; i++) {
      assertThat(generation.next()).isNotNull();
    }
    assertThatThrownBy(generation::next).isSameAs(failure);
    assertThatThrownBy(generation::next).isSameAs(failure);
    assertThatIllegalStateException()
        .isThrownBy(generation::result)
        .withMessage("the generation has not ended");

    mock.beforeReading = length -> {};
    Generation next = start(100);
    assertThat(read(next)).hasSize(100);
    assertThat(next.result().reusedTokens()).isZero();
  }

  @Test
  void aFailureReachesAReaderWhoHasCancelledAndReadNothing() {
    mock.beforeReading =
        length -> {
          if (length == 2 + QUEUE) {
            throw new IllegalStateException("made up");
          }
        };
    Generation generation = start(1000);
    assertThatThrownBy(
            () -> {
              waitForDraws(QUEUE);
              Thread.sleep(200);
              generation.cancel();
              read(generation);
            })
        .hasMessage("made up");
  }

  @Test
  void aRefusedPromptReachesTheReader() throws InterruptedException {
    Generation generation =
        engine.generate(
            session,
            new Request(new int[] {512}, 5, new int[0], Sampling.GREEDY, Penalties.NONE),
            null);
    assertThatThrownBy(generation::next)
        .isInstanceOf(QnextException.class)
        .hasMessage("token id 512 is outside the model's vocabulary of 512");
    assertThat(read(start(5))).hasSize(5);
  }

  @Test
  void resultBeforeTheEndIsRefused() throws InterruptedException {
    Generation generation = start(10);
    assertThatIllegalStateException().isThrownBy(generation::result);
    read(generation);
    assertThat(generation.result().tokens()).hasSize(10);
  }

  @Test
  void anInterruptedReaderCanGoOn() throws InterruptedException {
    Generation generation = start(10);
    Thread.currentThread().interrupt();
    assertThatThrownBy(generation::next).isInstanceOf(InterruptedException.class);
    assertThat(read(generation)).hasSize(10);
  }

  @Test
  void tokensCarryTheTextThatTheyComplete(@TempDir Path temp) throws InterruptedException {
    Tokenizer tokenizer = Tokenizer.load(TextFolder.make(temp.resolve("model")));
    int[] answer = tokenizer.encode("The \ud83d\udea3 rows. STOP here");
    mock.says = (position, ignored) -> answer[Math.min(position - 3, answer.length - 1)];
    Generation generation = text(new TextStream(tokenizer, List.of("STOP")), 1000);
    StringBuilder text = new StringBuilder();
    List<Integer> ids = new ArrayList<>();
    for (Generation.Token token; (token = generation.next()) != null; ) {
      assertThat(token.id()).describedAs("a stopped text has no rest").isNotEqualTo(-1);
      text.append(token.text());
      ids.add(token.id());
    }
    assertThat(text.toString()).isEqualTo("The \ud83d\udea3 rows. ");
    assertThat(generation.result().end()).isEqualTo(End.STOPPED);
    assertThat(ids).isEqualTo(list(generation.result().tokens()));
    assertThat(tokenizer.decode(generation.result().tokens())).endsWith("rows. STOP");

    session.clear();
    Generation held = text(new TextStream(tokenizer, List.of(" rows? ")), 10);
    List<Generation.Token> tokens = new ArrayList<>();
    for (Generation.Token token; (token = held.next()) != null; ) {
      tokens.add(token);
    }
    assertThat(tokens).hasSize(11);
    assertThat(tokens.getLast()).isEqualTo(new Generation.Token(-1, " ro"));
    assertThat(String.join("", tokens.stream().map(Generation.Token::text).toList()))
        .isEqualTo(tokenizer.decode(held.result().tokens()));
  }

  private Generation text(TextStream stream, int maxTokens) {
    int[] prompt = {1, 2, 3};
    return engine.generate(
        session,
        new Request(prompt, maxTokens, new int[0], Sampling.GREEDY, Penalties.NONE),
        stream);
  }
}
