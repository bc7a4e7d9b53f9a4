package dev.qnext.evaluate;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.model.LanguageModel;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Log-probabilities that a model gives to a text that is already there. */
public final class Scorer {
  /** Most rows of logits that are made at once. */
  private static final int ROWS = 64;

  /** Most numbers in them, if that is more than one row. */
  private static final int LOGITS = 1 << 24;

  private Scorer() {}

  /** Sees the logits behind position t, before the next row overwrites them. */
  @FunctionalInterface
  public interface LogitsRow {
    void accept(int position, float[] logits);
  }

  /**
   * Natural logarithms of the probability of each id given those before it: [ids - 1], the first id
   * has none.
   *
   * @throws QnextException if there are no ids, too many, or one that the model does not have
   */
  public static double[] score(LanguageModel model, int[] ids, LogitsRow row) {
    if (ids.length == 0) {
      throw new QnextException("there is nothing to score");
    }
    if (ids.length > model.contextLimit()) {
      throw new QnextException(
          "there are %,d tokens to score, but the context holds %,d"
              .formatted(ids.length, model.contextLimit()));
    }
    for (int id : ids) {
      if (id < 0 || id >= model.vocabularySize()) {
        throw new QnextException(
            "token id %d is outside the model's vocabulary of %d"
                .formatted(id, model.vocabularySize()));
      }
    }
    Backend backend = model.backend();
    double[] scores = new double[ids.length - 1];
    float[] logits = new float[model.vocabularySize()];
    int most = Math.clamp(LOGITS / logits.length, 1, Math.min(ROWS, ids.length));
    float[] block = new float[most * logits.length];
    try (State state = backend.newState(model.stateShape(), ids.length)) {
      for (int from = 0, to; from < ids.length; from = to) {
        to = from + Math.min(ids.length - from, backend.prefillTokens(from));
        try (Tensor hidden = read(model, state, Arrays.copyOfRange(ids, from, to))) {
          state.accept(to - from);
          for (int first = from; first < to; first += most) {
            int count = Math.min(most, to - first);
            readLogits(model, hidden, new Rows(first - from, count), block);
            for (int t = first; t < first + count; t++) {
              System.arraycopy(block, (t - first) * logits.length, logits, 0, logits.length);
              row.accept(t, logits);
              if (t < scores.length) {
                scores[t] = logProbability(logits, ids[t + 1]);
              }
            }
          }
        }
      }
    }
    return scores;
  }

  /** Opens a pass and reads ids: hidden states [T, hidden], kept. */
  private static Tensor read(LanguageModel model, State state, int[] ids) {
    state.begin(Pass.PREFILL, ids.length);
    try (Scope scope = model.backend().scope()) {
      return scope.keep(model.forward(model.backend().tokens(ids), state));
    }
  }

  private static void readLogits(LanguageModel model, Tensor hidden, Rows rows, float[] into) {
    MemorySegment segment = MemorySegment.ofArray(into);
    try (Scope scope = model.backend().scope()) {
      Tensor logits = model.logits(hidden, rows);
      model.backend().readFloats(logits, segment.asSlice(0, 4L * logits.rows() * logits.columns()));
    }
  }

  private static double logProbability(float[] logits, int id) {
    float max = Float.NEGATIVE_INFINITY;
    for (float logit : logits) {
      max = Math.max(max, logit);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - max);
    }
    return logits[id] - max - Math.log(sum);
  }
}
