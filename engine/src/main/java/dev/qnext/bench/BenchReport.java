package dev.qnext.bench;

import dev.qnext.backend.Peaks;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a bench found.
 *
 * @param limits of this machine; null where they are not known
 * @param modelBytes of all weights
 * @param bytesPerToken that decoding must move for one token behind an empty context
 * @param loadSeconds from opening the checkpoint until the model can read
 * @param firstTokenSeconds from there until the first reply's first token is drawn, behind a prompt
 *     of {@link Bench#FIRST_PROMPT} tokens, when nothing has run before
 */
public record BenchReport(
    @Nullable Peaks limits,
    long modelBytes,
    double bytesPerToken,
    double loadSeconds,
    double firstTokenSeconds,
    List<Decode> decode,
    List<Prefill> prefill,
    List<Verify> verify) {
  public BenchReport {
    decode = List.copyOf(decode);
    prefill = List.copyOf(prefill);
    verify = List.copyOf(verify);
  }

  /**
   * Tokens one after another.
   *
   * @param depth tokens before the first
   * @param tokens of one run, of which the median counts
   * @param bytesPerToken that must be moved for one
   */
  public record Decode(long depth, int tokens, double tokensPerSecond, double bytesPerToken) {
    /** Bytes moved per second. */
    public double bytesPerSecond() {
      return bytesPerToken * tokensPerSecond;
    }
  }

  /**
   * A prompt read from an empty context, up to the first token of the reply.
   *
   * @param products multiplications with weights
   * @param bytes that must be moved
   */
  public record Prefill(int tokens, double tokensPerSecond, double products, double bytes) {
    /** The limit in tokens per second: products of bytes, or memory where that is slower. */
    public double limit(Peaks peaks) {
      return tokens
          / Math.max(products / peaks.int8PerSecond(), bytes / peaks.readBytesPerSecond());
    }
  }

  /**
   * A pass of a few tokens, as speculation makes them, compared with one of one token.
   *
   * @param experts different experts of a layer that its tokens were sent to, on average
   */
  public record Verify(int tokens, double timeOverOne, double bytesOverOne, double experts) {}
}
