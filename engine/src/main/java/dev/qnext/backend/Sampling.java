package dev.qnext.backend;

import dev.qnext.QnextException;
import java.util.Arrays;

/**
 * How one token is drawn from one row of logits, and the definition that every backend follows.
 *
 * <p>Order: temperature, top-k, top-p, min-p (as transformers and vLLM do, for which the models'
 * recommended values are meant). The draw is Gumbel-max: the token with the largest logit /
 * temperature + noise(seed, position, token). The noise is keyed, not drawn from a stream, so a
 * position's token depends on its logits and the key alone; drafts and restarts see the same noise.
 *
 * @param temperature 0 is greedy: the largest logit, the lowest id among equals
 * @param topK keep the k largest; 0 keeps all. Equals of the k-th are decided by the lower id
 * @param topP keep the smallest set of most probable tokens that reaches this sum; 1 keeps all
 * @param minP keep tokens of at least this share of the largest probability; 0 keeps all
 */
public record Sampling(float temperature, int topK, float topP, float minP, long seed) {
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 0, 0);

  public Sampling {
    require(
        temperature >= 0 && temperature < Float.POSITIVE_INFINITY,
        "temperature",
        temperature,
        "at least 0");
    require(topK >= 0, "top-k", topK, "at least 0");
    require(topP > 0 && topP <= 1, "top-p", topP, "above 0 and at most 1");
    require(minP >= 0 && minP <= 1, "min-p", minP, "between 0 and 1");
  }

  private static void require(boolean fine, String name, Number value, String allowed) {
    if (!fine) {
      throw new IllegalArgumentException("%s is %s but must be %s".formatted(name, value, allowed));
    }
  }

  /**
   * The token drawn from {@code logits} for an absolute position.
   *
   * @throws QnextException if a logit is NaN or the largest is infinite; single tokens may be at
   *     negative infinity
   */
  public int draw(float[] logits, long position) {
    int best = argmax(logits);
    requireFinite(best, logits[best], position);
    if (temperature == 0) {
      return best;
    }
    if (topK == 0 && topP == 1 && minP == 0) {
      int token = best;
      double largest = Double.NEGATIVE_INFINITY;
      for (int id = 0; id < logits.length; id++) {
        double value = logits[id] / (double) temperature + noise(seed, position, id);
        if (value > largest) {
          largest = value;
          token = id;
        }
      }
      return token;
    }
    return draw(kept(logits, logits[best]), best, position);
  }

  /**
   * How many of the largest logits decide: 1 for greedy, top-k where that is set, and 0 if all do.
   */
  public int candidates() {
    return temperature == 0 ? 1 : topK;
  }

  /**
   * The same as {@link #draw(float[], long)}, for who has found the {@link #candidates} already.
   *
   * @param ids of the largest logits (all there are, if there are fewer), the largest first and the
   *     lower id first among equals
   * @param logits theirs
   */
  public int draw(int[] ids, float[] logits, long position) {
    requireFinite(ids[0], logits[0], position);
    if (temperature == 0) {
      return ids[0];
    }
    long[] keys = new long[ids.length];
    double sum = 0;
    for (int i = ids.length - 1, to = 0; i >= 0; i--) {
      keys[to++] = key(logits[i], ids[i]);
      sum += weight(logits[i], logits[0]);
    }
    return draw(filtered(keys, sum, logits[0]), ids[0], position);
  }

  /**
   * Refuses the largest logit of a damaged model.
   *
   * @throws QnextException if it is NaN or infinite
   */
  public static void requireFinite(int id, float logit, long position) {
    if (!Float.isFinite(logit)) {
      throw new QnextException(
          "the model gave token %d at position %d the logit %s: its weights are damaged, or too large for this backend; check the files"
              .formatted(id, position, logit));
    }
  }

  private int draw(long[] kept, int best, long position) {
    int token = best;
    double largest = Double.NEGATIVE_INFINITY;
    for (long key : kept) {
      int id = id(key);
      double value = logit(key) / (double) temperature + noise(seed, position, id);
      if (value > largest || value == largest && id < token) {
        largest = value;
        token = id;
      }
    }
    return token;
  }

  /** Keys of the tokens that pass all filters. */
  long[] kept(float[] logits, float max) {
    double sum = 0;
    if (topK > 0) {
      long[] keys = largest(logits, Math.min(topK, logits.length));
      for (long key : keys) {
        sum += weight(logit(key), max);
      }
      return filtered(keys, sum, max);
    }
    for (float logit : logits) {
      sum += weight(logit, max);
    }
    // Tokens that are too improbable to reach into top-p even all together need no sorting.
    return filtered(atLeast(logits, max, (1 - topP) * sum / logits.length), sum, max);
  }

  /** Applies top-p and min-p to ascending keys; sum is that of all weights. */
  private long[] filtered(long[] keys, double sum, float max) {
    int from = 0;
    if (topP < 1) {
      from = keys.length;
      double reached = 0;
      while (from > 0 && reached < topP * sum) {
        reached += weight(logit(keys[--from]), max);
      }
    }
    while (weight(logit(keys[from]), max) < minP) {
      from++;
    }
    return Arrays.copyOfRange(keys, from, keys.length);
  }

  /** Probability relative to the most probable token. */
  private double weight(float logit, float max) {
    return StrictMath.exp((logit - (double) max) / temperature);
  }

  private static long[] largest(float[] logits, int k) {
    long[] keys = new long[k];
    int n = 0;
    for (int id = 0; id < logits.length; id++) {
      long key = key(logits[id], id);
      if (n < k) {
        keys[n++] = key;
        if (n == k) {
          Arrays.sort(keys);
        }
      } else if (key > keys[0]) {
        int at = -Arrays.binarySearch(keys, key) - 2;
        System.arraycopy(keys, 1, keys, 0, at);
        keys[at] = key;
      }
    }
    return keys;
  }

  private long[] atLeast(float[] logits, float max, double weight) {
    long[] keys = new long[logits.length];
    int n = 0;
    for (int id = 0; id < logits.length; id++) {
      if (weight(logits[id], max) >= weight) {
        keys[n++] = key(logits[id], id);
      }
    }
    keys = Arrays.copyOf(keys, n);
    Arrays.sort(keys);
    return keys;
  }

  /**
   * Sorts by logit, then by descending id: the float's bits made monotonic above, the id's
   * complement below.
   */
  private static long key(float logit, int id) {
    int bits = Float.floatToIntBits(logit + 0f);
    return (long) (bits ^ (bits >> 31 & 0x7FFFFFFF)) << 32 | ~id & 0xFFFFFFFFL;
  }

  private static float logit(long key) {
    int bits = (int) (key >> 32);
    return Float.intBitsToFloat(bits ^ (bits >> 31 & 0x7FFFFFFF));
  }

  static int id(long key) {
    return ~(int) key;
  }

  /** The largest logit's id, the lowest among equals; the first NaN's if there is one. */
  public static int argmax(float[] logits) {
    int best = 0;
    float largest = Float.NEGATIVE_INFINITY;
    for (int id = 0; id < logits.length; id++) {
      if (!(logits[id] <= largest)) {
        if (Float.isNaN(logits[id])) {
          return id;
        }
        best = id;
        largest = logits[id];
      }
    }
    return best;
  }

  /**
   * Standard Gumbel noise for a key. Built from 32-bit multiplications and shifts alone, so that a
   * GPU can do the same: three rounds of the murmur3 finalizer over seed, position and token give
   * h, and -log(-log1p(-(h + 1/2) / 2^32)) has full precision in the large values, which decide.
   */
  public static double noise(long seed, long position, int token) {
    int h = mix(key(seed, position) ^ token);
    double uniform = ((h & 0xFFFFFFFFL) + 0.5) * 0x1p-32;
    return -StrictMath.log(-StrictMath.log1p(-uniform));
  }

  /**
   * The part of the hash that all tokens of a position share: what the token's id is xored with.
   */
  public static int key(long seed, long position) {
    int h = mix((int) seed);
    h = mix(h ^ (int) (seed >>> 32));
    h = mix(h + 0x9E3779B9 ^ (int) position);
    h = mix(h + 0x85EBCA6B ^ (int) (position >>> 32));
    return h + 0xC2B2AE35;
  }

  private static int mix(int h) {
    h ^= h >>> 16;
    h *= 0x85EBCA6B;
    h ^= h >>> 13;
    h *= 0xC2B2AE35;
    return h ^ h >>> 16;
  }
}
