package dev.qnext.selftest;

import dev.qnext.backend.Sampling;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.WeightSpec;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** sample by every rule, and the next step that starts from a token nobody has read. */
final class SampleCases {
  private static final int ROWS = 12;
  private static final int VOCABULARY = 1000;

  /** Beyond 32 bits: the noise is keyed by all of the position. */
  private static final long POSITION = (1L << 33) + 7;

  /** How far a logit may be off, relative to the largest, without another draw. */
  private static final double SLACK = 0.004;

  private SampleCases() {}

  static void add(RandomWeights weights, List<Case> cases) {
    Map<String, Sampling> rules = new LinkedHashMap<>();
    rules.put("greedy", Sampling.GREEDY);
    rules.put("temperature", new Sampling(1.3f, 0, 1, 0, 7));
    rules.put("top-k", new Sampling(1, 20, 1, 0, 8));
    rules.put("top-p", new Sampling(1, 0, 0.6f, 0, 9));
    rules.put("min-p", new Sampling(1, 0, 1, 0.2f, 1L << 40 | 10));
    rules.put("all of them", new Sampling(0.7f, 20, 0.8f, 0.1f, 11));
    SplittableRandom random = new SplittableRandom(6);
    rules.forEach((name, sampling) -> {
      String path = "sample." + name.replace(' ', '-');
      weights.floats(path + ".weight", clearLogits(random, sampling), ROWS, VOCABULARY);
      cases.add(
          Case.exact(
              "sample",
              name,
              List.of(WeightSpec.matrix(path, ROWS, VOCABULARY)),
              bench -> {
                Tensor logits = bench.input(path, 0, ROWS);
                bench.readTokens(bench.backend().sample(logits, sampling, POSITION));
              }));
    });
    weights.floats(
        "sample.square.weight", RandomWeights.gaussian(random, ROWS * ROWS, 1), ROWS, ROWS);
    cases.add(
        Case.exact(
            "sample",
            "the next step begins with its token",
            List.of(WeightSpec.matrix("sample.square", ROWS, ROWS)),
            bench -> {
              Tensor logits = bench.input("sample.square", 0, ROWS);
              Tensor tokens = bench.backend().sample(logits, Sampling.GREEDY, POSITION);
              bench.backend().start(tokens);
              bench.read(bench.backend().embed(bench.weight("sample.square"), tokens));
              bench.readTokens(tokens);
            }));
  }

  /**
   * Rows of logits whose draw is no close call: it stays the same when all of them are changed a
   * little, several times. A few tokens stand out, as they do in a model's logits.
   */
  private static float[] clearLogits(SplittableRandom random, Sampling sampling) {
    float[] all = new float[ROWS * VOCABULARY];
    for (int t = 0; t < ROWS; ) {
      float[] row = RandomWeights.gaussian(random, VOCABULARY, 2);
      for (int i = 0; i < 5; i++) {
        row[random.nextInt(VOCABULARY)] += 6;
      }
      if (isClear(random, row, sampling, POSITION + t)) {
        System.arraycopy(row, 0, all, t * VOCABULARY, VOCABULARY);
        t++;
      }
    }
    return all;
  }

  private static boolean isClear(
      SplittableRandom random, float[] row, Sampling sampling, long position) {
    int drawn = sampling.draw(row, position);
    double slack = SLACK * row[Sampling.argmax(row)];
    float[] changed = new float[row.length];
    for (int i = 0; i < 6; i++) {
      for (int id = 0; id < row.length; id++) {
        changed[id] = (float) (row[id] + slack * (2 * random.nextDouble() - 1));
      }
      if (sampling.draw(changed, position) != drawn) {
        return false;
      }
    }
    return true;
  }
}
