package dev.qnext.suites;

import dev.qnext.backend.Pass;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The passes in which a case reads its tokens: prefills and verify passes, the latter with wrong
 * tokens behind the kept ones. In the tables of inputs row t belongs to the t-th kept token; wrong
 * tokens take rows behind all of these.
 */
record Passes(List<Step> steps) {
  record Step(Pass pass, int tokens, int kept) {
    @Override
    public String toString() {
      return pass == Pass.PREFILL ? "" + tokens : "v" + kept + "/" + tokens;
    }
  }

  static Passes prefill(int tokens) {
    return new Passes(List.of(new Step(Pass.PREFILL, tokens, tokens)));
  }

  /** So many tokens, in passes of all sizes that make a difference to kernels. */
  static Passes random(SplittableRandom random, int tokens) {
    List<Step> steps = new ArrayList<>();
    for (int left = tokens; left > 0; ) {
      int count = Math.min(left, List.of(1, 2, 7, 16, 64, 65).get(random.nextInt(6)));
      if (count <= State.MAX_VERIFY && random.nextInt(3) > 0) {
        int kept = random.nextInt(count + 1);
        steps.add(new Step(Pass.VERIFY, count, kept));
        left -= kept;
      } else {
        steps.add(new Step(Pass.PREFILL, count, count));
        left -= count;
      }
    }
    return new Passes(steps);
  }

  /** Tokens that are kept. */
  int kept() {
    return steps.stream().mapToInt(Step::kept).sum();
  }

  /** Rows that tables of inputs need. */
  int rows() {
    return steps.stream().mapToInt(Step::tokens).sum();
  }

  /** Room for the longest pass. */
  int capacity() {
    return kept() + State.MAX_VERIFY;
  }

  /**
   * Reads all tokens.
   *
   * @param operation from the rows of a pass to its result
   * @return the rows of the kept tokens
   */
  float[] read(OperationBench bench, State state, Function<int[], Tensor> operation) {
    float[] out = new float[0];
    int next = 0;
    int wrong = kept();
    for (Step step : steps) {
      int[] ids = new int[step.tokens];
      for (int t = 0; t < ids.length; t++) {
        ids[t] = t < step.kept ? next++ : wrong++;
      }
      state.begin(step.pass, step.tokens);
      Tensor y = operation.apply(ids);
      state.accept(step.kept);
      float[] rows = bench.read(y);
      int from = out.length;
      out = Arrays.copyOf(out, from + step.kept * y.columns());
      System.arraycopy(rows, 0, out, from, out.length - from);
    }
    return out;
  }

  @Override
  public String toString() {
    return "T=" + steps.stream().map(Step::toString).collect(Collectors.joining("+"));
  }
}
