package dev.qnext.backend;

/**
 * Rotary position embedding over the first {@code rotaryDim} numbers of a head, in half-split pairs
 * (i, i + rotaryDim / 2): the angle is the f32 product position * inverseFrequency[i], and cos and
 * sin are multiplied by {@code attentionFactor}.
 */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
public record Rope(int rotaryDim, float[] inverseFrequency, float attentionFactor) {
  public Rope {
    if (rotaryDim % 2 != 0 || inverseFrequency.length != rotaryDim / 2) {
      throw new IllegalArgumentException(
          "rotary dimension %d with %d frequencies".formatted(rotaryDim, inverseFrequency.length));
    }
  }
}
