package dev.qnext.generate;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Draws the tokens of one reply: penalties from what it has seen, then the keyed draw. Without
 * penalties the logits stay on the device.
 */
final class Sampler {
  private final Backend backend;
  private final Sampling sampling;
  private final Penalties penalties;
  private final boolean[] seen;
  private final int[] generated;
  private final float[] row;

  Sampler(Backend backend, int vocabulary, Sampling sampling, Penalties penalties, int[] prompt) {
    this.backend = backend;
    this.sampling = sampling;
    this.penalties = penalties;
    this.seen = new boolean[needsIds() ? vocabulary : 0];
    this.generated = new int[seen.length];
    this.row = new float[seen.length];
    if (needsIds()) {
      for (int id : prompt) {
        seen[id] = true;
      }
    }
  }

  /** True if a draw depends on the ids drawn before it, which the device alone does not know. */
  boolean needsIds() {
    return !penalties.none();
  }

  /** The token [1, 1] for an absolute position, from its logits [1, vocabulary]. */
  Tensor draw(Tensor logits, long position) {
    if (!needsIds()) {
      return backend.sample(logits, sampling, position);
    }
    backend.readFloats(logits, MemorySegment.ofArray(row));
    penalise();
    int id = sampling.draw(row, position);
    seen[id] = true;
    generated[id]++;
    return backend.tokens(new int[] {id});
  }

  private void penalise() {
    float repetition = penalties.repetition();
    for (int id = 0; id < row.length; id++) {
      if (seen[id]) {
        row[id] = row[id] > 0 ? row[id] / repetition : row[id] * repetition;
      }
      if (generated[id] > 0) {
        row[id] -= penalties.presence() + generated[id] * penalties.frequency();
      }
    }
    penalties.bias().forEach((id, bias) -> row[id] += bias);
  }
}
