package dev.qnext.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.qnext.QnextException;
import dev.qnext.mock.MockBackend;
import dev.qnext.mock.MockModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ParameterizedClass
@ValueSource(booleans = {false, true})
class ScorerTest {
  private static final int VOCABULARY = 97;
  private static final Scorer.LogitsRow NOBODY = (position, logits) -> {};

  private final MockModel model = new MockModel(VOCABULARY);

  ScorerTest(boolean deferred) {
    model.backend().deferred = deferred;
  }

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(model.backend().openTensors).isZero();
    assertThat(model.backend().openStates).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 63, 64, 65, 512, 513, 577, 1100})
  void scoresFollowTheDefinition(int length) {
    int[] ids = new Random(length).ints(length, 0, VOCABULARY).toArray();
    List<Integer> positions = new ArrayList<>();
    double[] scores =
        Scorer.score(
            model,
            ids,
            (position, logits) -> {
              positions.add(position);
              assertThat(logits)
                  .isEqualTo(MockBackend.logits(VOCABULARY, Arrays.copyOf(ids, position + 1)));
            });
    assertThat(scores).hasSize(length - 1);
    for (int t = 0; t < scores.length; t++) {
      float[] logits = MockBackend.logits(VOCABULARY, Arrays.copyOf(ids, t + 1));
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(logit);
      }
      assertThat(scores[t]).isCloseTo(Math.log(Math.exp(logits[ids[t + 1]]) / sum), within(1e-5));
    }
    assertThat(positions).hasSize(length).isSorted().doesNotHaveDuplicates();
  }

  @Test
  void refusesWhatCannotBeScored() {
    assertRefused("there is nothing to score");
    assertRefused("token id 97 is outside the model's vocabulary of 97", 1, VOCABULARY);
    assertRefused("token id -1 is outside the model's vocabulary of 97", -1);
    model.contextLimit = 1500;
    assertThat(Scorer.score(model, new int[1500], NOBODY)).hasSize(1499);
    assertRefused("there are 1,501 tokens to score, but the context holds 1,500", new int[1501]);
  }

  private void assertRefused(String message, int... ids) {
    assertThatExceptionOfType(QnextException.class)
        .isThrownBy(() -> Scorer.score(model, ids, NOBODY))
        .withMessage(message);
  }

  @Test
  void aFailureAtAnyOperationLeavesNothingBehind() {
    int[] ids = new int[600];
    int[] count = new int[1];
    model.backend().beforeOperation = name -> count[0]++;
    Scorer.score(model, ids, NOBODY);
    int operations = count[0];
    assertThat(operations).isGreaterThan(20);
    for (int at = 0; at < operations; at++) {
      int[] left = {at};
      model.backend().beforeOperation =
          name -> {
            if (left[0]-- == 0) {
              throw new IllegalStateException("made up");
            }
          };
      assertThatThrownBy(() -> Scorer.score(model, ids, NOBODY)).hasMessage("made up");
      nothingIsLeftOpen();
    }
  }

  @Test
  void aFailureLeavesNoStateBehind() {
    model.backend().beforeReading =
        length -> {
          if (length > 0) {
            throw new IllegalStateException("made up");
          }
        };
    assertThatThrownBy(() -> Scorer.score(model, new int[600], NOBODY)).hasMessage("made up");
  }
}
