package dev.qnext.generate;

import static dev.qnext.generate.Replies.VOCABULARY;
import static dev.qnext.generate.Replies.joined;
import static dev.qnext.generate.Replies.prompt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.qnext.backend.Scope;
import dev.qnext.backend.Tensor;
import dev.qnext.mock.MockBackend;
import dev.qnext.mock.MockModel;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Passes that are kept in part or dropped, on an eager and on a deferred backend. */
@ParameterizedClass
@ValueSource(booleans = {false, true})
class SessionTest {
  private final MockModel model = new MockModel(VOCABULARY);
  private final MockBackend backend = model.backend();
  private final Session session = new Session(model, 1000);

  SessionTest(boolean deferred) {
    backend.deferred = deferred;
  }

  @AfterEach
  void nothingIsLeftOpen() {
    session.close();
    assertThat(backend.openTensors).isZero();
    assertThat(backend.openStates).isZero();
  }

  private void verify(int... tokens) {
    try (Scope scope = backend.scope()) {
      session.verify(backend.tokens(tokens));
    }
  }

  private void assertLogits(int[]... texts) {
    float[] all = new float[texts.length * VOCABULARY];
    try (Scope scope = backend.scope()) {
      Tensor logits = session.logits();
      assertThat(logits.rows()).isEqualTo(texts.length);
      backend.readFloats(logits, MemorySegment.ofArray(all));
    }
    for (int t = 0; t < texts.length; t++) {
      assertThat(Arrays.copyOfRange(all, t * VOCABULARY, (t + 1) * VOCABULARY))
          .isEqualTo(MockBackend.logits(VOCABULARY, texts[t]));
    }
    assertThat(session.position()).isEqualTo(texts[0].length);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4})
  void theFirstTokensOfAPassAreKept(int count) {
    int[] read = prompt(20, 40);
    session.prefill(read);
    assertLogits(read);
    verify(5, 6, 7, 8);
    assertThat(session.ids()).describedAs("not read yet").isEqualTo(read);
    assertLogits(
        joined(read, 5), joined(read, 5, 6), joined(read, 5, 6, 7), joined(read, 5, 6, 7, 8));
    int[] kept = Arrays.copyOf(new int[] {5, 6, 7, 8}, count);
    session.accept(kept);
    assertThat(session.ids()).isEqualTo(joined(read, kept));
    assertLogits(joined(read, kept));
    verify(9);
    session.accept(9);
    assertLogits(joined(joined(read, kept), 9));
  }

  @Test
  void anEmptySessionHasNoLogits() {
    assertThatIllegalStateException().isThrownBy(session::logits).withMessage("nothing was read");
    session.prefill(new int[] {1, 2});
    session.clear();
    assertThatIllegalStateException().isThrownBy(session::logits).withMessage("nothing was read");
  }

  @Test
  void anOpenPassIsFreedWithTheSession() {
    session.prefill(new int[] {1, 2});
    verify(3);
    assertThat(backend.openTensors).isEqualTo(2);
    session.reset();
    assertThat(backend.openTensors).isZero();
    assertThat(backend.openStates).isEqualTo(1);
    session.prefill(new int[] {1, 2});
    verify(3);
  }
}
