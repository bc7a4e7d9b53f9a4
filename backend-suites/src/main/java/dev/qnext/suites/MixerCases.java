package dev.qnext.suites;

import static dev.qnext.fixtures.Gaussian.gaussian;
import static dev.qnext.suites.Definitions.widened;

import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rope;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.suites.OperationCase.Result;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** Cases of attention and deltaNet: seeded sizes against {@link Definitions}, from empty states. */
final class MixerCases {
  private MixerCases() {}

  static List<OperationCase> all() {
    List<OperationCase> cases = new ArrayList<>();
    cases.add(attention(1, 1, 1, 8, 8, 1));
    cases.add(attention(7, 4, 2, 32, 8, 1));
    cases.add(attention(40, 3, 1, 16, 16, 1));
    cases.add(attention(65, 6, 3, 24, 12, 1.2f));
    cases.add(attention(130, 4, 4, 64, 16, 1));
    cases.add(deltaNet(1, new StateShape.Delta(1, 1, 8, 8, 4)));
    cases.add(deltaNet(5, new StateShape.Delta(1, 3, 32, 64, 4)));
    cases.add(deltaNet(9, new StateShape.Delta(3, 3, 7, 12, 2)));
    cases.add(deltaNet(17, new StateShape.Delta(2, 4, 24, 5, 3)));
    cases.add(deltaNet(130, new StateShape.Delta(2, 6, 16, 20, 4)));
    cases.add(deltaNet(33, new StateShape.Delta(16, 32, 4, 4, 4)));
    return cases;
  }

  private static OperationCase attention(
      int tokens, int heads, int kvHeads, int dim, int rotary, float factor) {
    return new OperationCase(
        "attention",
        "T=%d, heads=%d, kvHeads=%d, headDim=%d, rotated=%d, factor=%s"
            .formatted(tokens, heads, kvHeads, dim, rotary, factor),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(tokens);
          float[] frequencies = new float[rotary / 2];
          for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = (float) Math.pow(1000, -2.0 * i / rotary);
          }
          Rope rope = new Rope(rotary, frequencies, factor);
          float[] qGate = gaussian(random, tokens * heads * 2 * dim, 2);
          float[] k = gaussian(random, tokens * kvHeads * dim, 2);
          float[] v = gaussian(random, tokens * kvHeads * dim, 1);
          float[] qNorm = gaussian(random, dim, 0.3);
          float[] kNorm = gaussian(random, dim, 0.3);
          try (OperationBench bench =
                  new OperationBench(backend)
                      .matrix("q", qGate, heads * 2 * dim)
                      .matrix("k", k, kvHeads * dim)
                      .matrix("v", v, kvHeads * dim)
                      .norm("q_norm", qNorm)
                      .norm("k_norm", kNorm)
                      .bind(folder);
              State state =
                  backend.newState(
                      new StateShape(List.of(new StateShape.Attention(kvHeads, dim))), tokens)) {
            AttentionArgs args =
                new AttentionArgs(
                    heads,
                    kvHeads,
                    dim,
                    rope,
                    bench.weight("q_norm"),
                    bench.weight("k_norm"),
                    1e-6f);
            state.begin(Pass.PREFILL, tokens);
            Tensor out =
                backend.attention(
                    args, bench.input("q"), bench.input("k"), bench.input("v"), state, 0);
            state.accept(tokens);
            return new Result(
                bench.read(out),
                Definitions.attention(
                    heads,
                    kvHeads,
                    dim,
                    rope,
                    onePlus(qNorm),
                    onePlus(kNorm),
                    1e-6f,
                    widened(qGate),
                    widened(k),
                    widened(v)));
          }
        });
  }

  private static double[] onePlus(float[] norm) {
    return Arrays.stream(widened(norm)).map(w -> 1 + w).toArray();
  }

  private static OperationCase deltaNet(int tokens, StateShape.Delta shape) {
    return new OperationCase(
        "deltaNet",
        "T=%d, keyHeads=%d, valueHeads=%d, keyDim=%d, valueDim=%d, kernel=%d"
            .formatted(
                tokens,
                shape.keyHeads(),
                shape.valueHeads(),
                shape.keyDim(),
                shape.valueDim(),
                shape.kernel()),
        (backend, folder) -> {
          SplittableRandom random = new SplittableRandom(tokens);
          int heads = shape.valueHeads();
          int width = shape.channels() + heads * shape.valueDim();
          float[] qkvz = gaussian(random, tokens * width, 1.5);
          float[] ba = gaussian(random, tokens * 2 * heads, 1.5);
          float[] kernel = gaussian(random, shape.channels() * shape.kernel(), 0.6);
          float[] aLog = gaussian(random, heads, 1.5);
          float[] dtBias = gaussian(random, heads, 1);
          float[] norm = gaussian(random, shape.valueDim(), 1);
          try (OperationBench bench =
                  new OperationBench(backend)
                      .matrix("qkvz", qkvz, width)
                      .matrix("ba", ba, 2 * heads)
                      .vector("conv1d", kernel)
                      .vector("A_log", aLog)
                      .vector("dt_bias", dtBias)
                      .vector("norm", norm)
                      .bind(folder);
              State state = backend.newState(new StateShape(List.of(shape)), tokens)) {
            DeltaArgs args =
                new DeltaArgs(
                    shape,
                    bench.weight("conv1d"),
                    bench.weight("A_log"),
                    bench.weight("dt_bias"),
                    bench.weight("norm"),
                    1e-6f);
            state.begin(Pass.PREFILL, tokens);
            Tensor out = backend.deltaNet(args, bench.input("qkvz"), bench.input("ba"), state, 0);
            state.accept(tokens);
            return new Result(
                bench.read(out),
                Definitions.deltaNet(
                    shape,
                    widened(kernel),
                    widened(aLog),
                    widened(dtBias),
                    widened(norm),
                    1e-6f,
                    widened(qkvz),
                    widened(ba)));
          }
        });
  }
}
