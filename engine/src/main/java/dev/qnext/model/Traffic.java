package dev.qnext.model;

import dev.qnext.backend.StateShape;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.checkpoint.WeightSpec;

/**
 * What a pass must move and compute at least: the bytes that it reads from memory (and of the state
 * writes), and the multiplications with weights. A machine's limits divided by these are the speed
 * that no program can exceed.
 *
 * <p>A pass reads every weight once but these: one row of the embedding table per token, and only
 * experts that were chosen. It reads and writes the recurrent state once, reads the keys and values
 * of all positions before it, and writes those of its own. Activations are not counted; they stay
 * in caches.
 */
public final class Traffic {
  private final int experts;
  private final int chosen;
  private final StateShape state;
  private long embeddingRow;

  /** Of all weights that every pass reads whole. */
  private long fixedBytes;

  /** Of one expert in every layer. */
  private double expertBytes;

  private long fixedProducts;
  private double expertProducts;
  private long headProducts;

  private Traffic(int experts, int chosen, StateShape state) {
    this.experts = experts;
    this.chosen = chosen;
    this.state = state;
  }

  /** Of a checkpoint's model without its MTP module. */
  public static Traffic of(Checkpoint checkpoint) {
    LanguageModel.requireSupported(checkpoint);
    Qwen3Next.Args args = Qwen3Next.Args.of(checkpoint.config());
    Traffic traffic =
        new Traffic(args.numExperts(), args.numExpertsPerTok(), Qwen3Next.stateShape(args));
    String head = args.tieWordEmbeddings() ? Qwen3Next.EMBED_TOKENS : Qwen3Next.LM_HEAD;
    for (WeightSpec spec : Qwen3Next.layout(args).weights()) {
      traffic.add(spec, checkpoint.find(spec), head);
    }
    return traffic;
  }

  private void add(WeightSpec spec, StoredWeight weight, String head) {
    long products = (long) spec.rows() * spec.columns();
    if (spec.path().equals(Qwen3Next.EMBED_TOKENS)) {
      embeddingRow = weight.bytes() / spec.rows();
    }
    if (spec.path().equals(head)) {
      headProducts = products;
      fixedBytes += weight.bytes();
    } else if (spec.kind() == WeightSpec.Kind.EXPERTS) {
      expertBytes += (double) weight.bytes() / spec.experts();
      expertProducts += products;
    } else if (!spec.path().equals(Qwen3Next.EMBED_TOKENS)) {
      fixedBytes += weight.bytes();
      fixedProducts += products;
    }
  }

  /** Experts of a layer. */
  public int experts() {
    return experts;
  }

  /** Experts of a layer that one token is sent to. */
  public int chosen() {
    return chosen;
  }

  /**
   * How many different experts of a layer so many tokens are sent to on average, if the router
   * takes each as often as any other and for each token anew: E (1 - (1 - c / E)^T).
   */
  public double expectedExperts(int tokens) {
    return experts == 0 ? 0 : experts * (1 - Math.pow(1 - (double) chosen / experts, tokens));
  }

  /**
   * Bytes of a pass.
   *
   * @param expertsRead different experts of a layer that its tokens are sent to
   * @param depth tokens before it
   * @param bytesPerCached of one number of a key or value
   */
  public double bytes(int tokens, double expertsRead, long depth, int bytesPerCached) {
    long recurrent = state.bytes(0, bytesPerCached);
    long cached = state.bytes(depth + tokens, bytesPerCached) - recurrent;
    return fixedBytes
        + expertsRead * expertBytes
        + (double) tokens * embeddingRow
        + 2.0 * recurrent
        + cached;
  }

  /** Bytes of a pass of one token. */
  public double bytesPerToken(long depth, int bytesPerCached) {
    return bytes(1, chosen, depth, bytesPerCached);
  }

  /** Multiplications with weights of a pass that predicts the token behind its last. */
  public double products(int tokens) {
    return tokens * (fixedProducts + chosen * expertProducts) + headProducts;
  }
}
