package dev.qnext.generate;

import java.util.Arrays;

/**
 * How a generation ended.
 *
 * @param tokens the ids that were generated, stop id excluded
 * @param promptTokens ids of the prompt, {@code reusedTokens} of which the session had read before
 * @param readTokens ids of the prompt that were read now: all others, unless it was cancelled
 * @param promptNanos time to read the rest and compute the first logits
 * @param generationNanos time from there to the end
 */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
public record Result(
    int[] tokens,
    End end,
    int promptTokens,
    int reusedTokens,
    int readTokens,
    long promptNanos,
    long generationNanos) {
  public enum End {
    /** The model produced a stop id. */
    STOP_ID,
    /** The listener asked to stop. */
    STOPPED,
    /** As many tokens as asked for. */
    MAX_TOKENS,
    /** No room for another token. */
    CONTEXT,
    /** Cancelled from outside. */
    CANCELLED
  }

  /**
   * This and what was generated behind it, as one.
   *
   * @param between ids that were put behind this one's tokens, and count as the reply's
   * @param next of a prompt that ends with this one's and those
   */
  public Result followedBy(int[] between, Result next) {
    int[] all = Arrays.copyOf(tokens, tokens.length + between.length + next.tokens.length);
    System.arraycopy(between, 0, all, tokens.length, between.length);
    System.arraycopy(next.tokens, 0, all, tokens.length + between.length, next.tokens.length);
    return new Result(
        all,
        next.end,
        promptTokens,
        reusedTokens,
        readTokens,
        promptNanos,
        generationNanos + next.promptNanos + next.generationNanos);
  }

  /** Prompt tokens read per second; 0 if none were read. */
  public double promptSpeed() {
    return perSecond(readTokens, promptNanos);
  }

  /** Tokens generated per second; the first one counts as the prompt's. */
  public double generationSpeed() {
    return perSecond(Math.max(0, tokens.length - 1), generationNanos);
  }

  private static double perSecond(int count, long nanos) {
    return nanos == 0 ? 0 : count * 1e9 / nanos;
  }
}
