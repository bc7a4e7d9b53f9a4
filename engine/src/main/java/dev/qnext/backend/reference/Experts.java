package dev.qnext.backend.reference;

import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.reference.ReferenceWeights.Matrix;
import java.util.ArrayList;
import java.util.List;

/** Router, routed experts and the shared expert. */
final class Experts {
  private Experts() {}

  /** Which experts a token goes to, the most probable first, and with what weights. */
  @SuppressWarnings("ArrayRecordComponent") // compared by nobody
  record Choice(int[] experts, float[] weights) {}

  static Floats mix(ExpertArgs args, Floats x) {
    int tokens = x.rows();
    int hidden = x.columns();
    int chosen = args.chosen();
    Floats router = MatMul.multiply(Matrix.of(args.gate()), 0, x);
    List<List<Integer>> slotsOf = new ArrayList<>();
    for (int e = 0; e < args.experts(); e++) {
      slotsOf.add(new ArrayList<>());
    }
    float[] weights = new float[tokens * chosen];
    for (int t = 0; t < tokens; t++) {
      Choice choice =
          choose(router.values(), t * args.experts(), args.experts(), chosen, args.renormalise());
      for (int i = 0; i < chosen; i++) {
        slotsOf.get(choice.experts()[i]).add(t * chosen + i);
        weights[t * chosen + i] = choice.weights()[i];
      }
    }
    // Each expert reads its weights once for all of its tokens; a slot's result waits for its turn
    // in the sum.
    float[] results = new float[tokens * chosen * hidden];
    for (int e = 0; e < args.experts(); e++) {
      List<Integer> slots = slotsOf.get(e);
      if (slots.isEmpty()) {
        continue;
      }
      float[] rows = new float[slots.size() * hidden];
      for (int i = 0; i < slots.size(); i++) {
        System.arraycopy(x.values(), slots.get(i) / chosen * hidden, rows, i * hidden, hidden);
      }
      Floats in = new Floats(slots.size(), hidden, rows);
      Floats inner =
          swiglu(
              MatMul.multiply(Matrix.of(args.gateProj()), e, in),
              MatMul.multiply(Matrix.of(args.upProj()), e, in));
      Floats down = MatMul.multiply(Matrix.of(args.downProj()), e, inner);
      for (int i = 0; i < slots.size(); i++) {
        System.arraycopy(down.values(), i * hidden, results, slots.get(i) * hidden, hidden);
      }
    }
    Floats shared =
        MatMul.multiply(
            Matrix.of(args.sharedDownProj()),
            0,
            swiglu(
                MatMul.multiply(Matrix.of(args.sharedGateProj()), 0, x),
                MatMul.multiply(Matrix.of(args.sharedUpProj()), 0, x)));
    Floats sharedGate = MatMul.multiply(Matrix.of(args.sharedExpertGate()), 0, x);
    float[] out = new float[tokens * hidden];
    for (int t = 0; t < tokens; t++) {
      for (int slot = t * chosen; slot < (t + 1) * chosen; slot++) {
        for (int d = 0; d < hidden; d++) {
          out[t * hidden + d] += weights[slot] * results[slot * hidden + d];
        }
      }
      float gate = Arithmetic.sigmoid(sharedGate.values()[t]);
      for (int d = 0; d < hidden; d++) {
        out[t * hidden + d] += gate * shared.values()[t * hidden + d];
      }
    }
    return new Floats(tokens, hidden, out);
  }

  /** Softmax over all experts, then the most probable ones; the lower index among equals. */
  static Choice choose(float[] logits, int from, int experts, int chosen, boolean renormalise) {
    float max = Float.NEGATIVE_INFINITY;
    for (int e = 0; e < experts; e++) {
      max = Math.max(max, logits[from + e]);
    }
    float[] probability = new float[experts];
    float sum = 0;
    for (int e = 0; e < experts; e++) {
      probability[e] = (float) Math.exp(logits[from + e] - max);
      sum += probability[e];
    }
    int[] best = new int[chosen];
    float[] weights = new float[chosen];
    boolean[] taken = new boolean[experts];
    float total = 0;
    for (int i = 0; i < chosen; i++) {
      int next = -1;
      for (int e = 0; e < experts; e++) {
        if (!taken[e] && (next < 0 || logits[from + e] > logits[from + next])) {
          next = e;
        }
      }
      taken[next] = true;
      best[i] = next;
      weights[i] = probability[next] / sum;
      total += weights[i];
    }
    if (renormalise) {
      for (int i = 0; i < chosen; i++) {
        weights[i] /= total;
      }
    }
    return new Choice(best, weights);
  }

  static Floats swiglu(Floats gate, Floats up) {
    float[] out = new float[gate.values().length];
    for (int i = 0; i < out.length; i++) {
      out[i] = Arithmetic.silu(gate.values()[i]) * up.values()[i];
    }
    return new Floats(gate.rows(), gate.columns(), out);
  }
}
