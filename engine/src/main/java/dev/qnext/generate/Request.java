package dev.qnext.generate;

import dev.qnext.backend.Sampling;

/**
 * What to generate.
 *
 * @param prompt at least one id
 * @param maxTokens most tokens to generate
 * @param stopIds ids that end the reply and are no part of it
 */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
public record Request(
    int[] prompt, int maxTokens, int[] stopIds, Sampling sampling, Penalties penalties) {
  public Request {
    if (maxTokens < 0) {
      throw new IllegalArgumentException(
          "max tokens is %d but must be at least 0".formatted(maxTokens));
    }
  }

  /** The same behind another prompt. */
  public Request with(int[] otherPrompt, int otherMaxTokens) {
    return new Request(otherPrompt, otherMaxTokens, stopIds, sampling, penalties);
  }
}
