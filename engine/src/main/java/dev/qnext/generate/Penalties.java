package dev.qnext.generate;

import java.util.Map;

/**
 * What is changed in the logits before a token is drawn.
 *
 * @param repetition above 1 makes every token of prompt and output less likely: positive logits are
 *     divided by it, negative ones multiplied (CTRL, arXiv 1909.05858; as in transformers)
 * @param presence taken once from the logit of every token that was generated
 * @param frequency taken from it as often as it was generated
 * @param bias added to the logits of single tokens; -Infinity forbids one
 */
public record Penalties(
    float repetition, float presence, float frequency, Map<Integer, Float> bias) {
  public static final Penalties NONE = new Penalties(1, 0, 0, Map.of());

  public Penalties {
    bias = Map.copyOf(bias);
    if (!(repetition > 0) || !Float.isFinite(repetition)) {
      throw new IllegalArgumentException(
          "repetition penalty is %s but must be above 0".formatted(repetition));
    }
    if (!Float.isFinite(presence) || !Float.isFinite(frequency)) {
      throw new IllegalArgumentException("presence and frequency penalties must be finite");
    }
    bias.forEach((id, value) -> {
      if (!(value < Float.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException(
            "the logit bias of token %d is %s but must be finite, or -Infinity"
                .formatted(id, value));
      }
    });
  }

  boolean none() {
    return repetition == 1 && presence == 0 && frequency == 0 && bias.isEmpty();
  }
}
