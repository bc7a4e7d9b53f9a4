package dev.qnext.evaluate;

import dev.qnext.QnextException;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.model.LanguageModel;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Log-probabilities that a model gives to a text that is already there. */
public final class Scorer {
  private static final int CHUNK = 512;

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
    double[] scores = new double[ids.length - 1];
    float[] logits = new float[model.vocabularySize()];
    try (State state = model.backend().newState(model.stateShape(), ids.length)) {
      for (int from = 0; from < ids.length; from += CHUNK) {
        int[] chunk = Arrays.copyOfRange(ids, from, Math.min(ids.length, from + CHUNK));
        state.begin(Pass.PREFILL, chunk.length);
        Tensor hidden = model.forward(model.backend().tokens(chunk), state);
        state.accept(chunk.length);
        for (int t = 0; t < chunk.length; t++) {
          model
              .backend()
              .readFloats(model.logits(hidden, new Rows(t, 1)), MemorySegment.ofArray(logits));
          row.accept(from + t, logits);
          if (from + t < scores.length) {
            scores[from + t] = logProbability(logits, ids[from + t + 1]);
          }
        }
      }
    }
    return scores;
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
