package dev.qnext.selftest;

import dev.qnext.backend.AddNorm;
import dev.qnext.backend.Backend;
import dev.qnext.backend.Rows;
import dev.qnext.checkpoint.WeightSpec;
import java.util.List;
import java.util.SplittableRandom;

/** addNorm, swiglu, concat and rows. */
final class ElementCases {
  private static final int TOKENS = 40;
  private static final int COLUMNS = 512;
  private static final float EPS = 1e-6f;

  private ElementCases() {}

  static void add(RandomWeights weights, List<Case> cases) {
    SplittableRandom random = new SplittableRandom(2);
    for (String table : List.of("element.a", "element.b")) {
      float[] values = RandomWeights.gaussian(random, TOKENS * COLUMNS, 1.5);
      weights.floats(table + ".weight", values, TOKENS, COLUMNS);
    }
    weights.floats("element.norm.weight", RandomWeights.gaussian(random, COLUMNS, 1), COLUMNS);
    WeightSpec a = WeightSpec.matrix("element.a", TOKENS, COLUMNS);
    WeightSpec b = WeightSpec.matrix("element.b", TOKENS, COLUMNS);
    WeightSpec norm = WeightSpec.norm("element.norm", COLUMNS);
    for (int tokens : new int[] {1, TOKENS}) {
      cases.add(
          Case.of(
              "addNorm",
              "%d row%s".formatted(tokens, tokens == 1 ? "" : "s"),
              List.of(a, b, norm),
              bench ->
                  addNorm(
                      bench,
                      bench
                          .backend()
                          .addNorm(
                              bench.input("element.a", 0, tokens),
                              bench.input("element.b", 0, tokens),
                              bench.weight("element.norm"),
                              EPS))));
    }
    cases.add(
        Case.of(
            "addNorm",
            "3 rows, nothing added",
            List.of(a, norm),
            bench ->
                addNorm(
                    bench,
                    bench
                        .backend()
                        .addNorm(
                            bench.input("element.a", 4, 3),
                            null,
                            bench.weight("element.norm"),
                            EPS))));
    cases.add(
        Case.of(
            "swiglu",
            "8 rows",
            List.of(a, b),
            bench -> {
              Backend backend = bench.backend();
              bench.read(
                  backend.swiglu(bench.input("element.a", 0, 8), bench.input("element.b", 0, 8)));
            }));
    cases.add(
        Case.exact(
            "concat",
            "5 rows",
            List.of(a, b),
            bench -> {
              Backend backend = bench.backend();
              bench.read(
                  backend.concat(bench.input("element.a", 2, 5), bench.input("element.b", 9, 5)));
            }));
    for (Rows rows : List.of(new Rows(39, 1), new Rows(1, 3), new Rows(0, 40))) {
      cases.add(
          Case.exact(
              "rows",
              "%d of 40 from %d".formatted(rows.count(), rows.first()),
              List.of(a),
              bench -> bench.read(bench.backend().rows(bench.input("element.a", 0, 40), rows))));
    }
  }

  private static void addNorm(Bench bench, AddNorm result) {
    bench.read(result.residual());
    bench.read(result.normed());
  }
}
