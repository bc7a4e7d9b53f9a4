package dev.qnext.selftest;

import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rope;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.WeightSpec;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A layer that remembers, attention or delta net, with its small weights and a table of inputs: row
 * t of every table is what the token at position t brings.
 */
sealed interface Mixer {
  /** Rows of the tables of inputs. */
  int TOKENS = 96;

  float EPS = 1e-6f;

  String operation();

  String sizes();

  StateShape.Layer shape();

  /** Adds the tensors. */
  void write(RandomWeights weights, SplittableRandom random);

  List<WeightSpec> specs();

  /** The operation on so many rows of the tables. */
  Tensor mix(Bench bench, State state, int layer, int first, int tokens);

  /** Runs one pass whose tokens are all kept. */
  default Tensor pass(Bench bench, State state, Pass pass, int tokens) {
    return pass(bench, state, pass, tokens, tokens);
  }

  /** Runs one pass of a state with this layer alone, from its length on. */
  default Tensor pass(Bench bench, State state, Pass pass, int tokens, int kept) {
    int first = (int) state.length();
    state.begin(pass, tokens);
    Tensor out = mix(bench, state, 0, first, tokens);
    // Before the pass ends, as a model does whose logits decide how many tokens are kept.
    bench.backend().start(out);
    state.accept(kept);
    return out;
  }

  private static void table(
      RandomWeights weights, SplittableRandom random, String path, int columns, double deviation) {
    weights.floats(
        path + ".weight",
        RandomWeights.gaussian(random, TOKENS * columns, deviation),
        TOKENS,
        columns);
  }

  /** Full attention. */
  record Attention(String path, int heads, int kvHeads, int headDim, int rotary, float factor)
      implements Mixer {
    @Override
    public String operation() {
      return "attention";
    }

    @Override
    public String sizes() {
      return "%d heads of %d".formatted(heads, headDim);
    }

    @Override
    public StateShape.Layer shape() {
      return new StateShape.Attention(kvHeads, headDim);
    }

    @Override
    public void write(RandomWeights weights, SplittableRandom random) {
      table(weights, random, path + ".q", heads * 2 * headDim, 1.5);
      table(weights, random, path + ".k", kvHeads * headDim, 1.5);
      table(weights, random, path + ".v", kvHeads * headDim, 1);
      for (String norm : List.of(".q_norm", ".k_norm")) {
        float[] values = RandomWeights.gaussian(random, headDim, 0.3);
        for (int i = 0; i < headDim; i++) {
          values[i] += 1;
        }
        weights.floats(path + norm + ".weight", values, headDim);
      }
    }

    @Override
    public List<WeightSpec> specs() {
      return List.of(
          WeightSpec.matrix(path + ".q", TOKENS, heads * 2 * headDim),
          WeightSpec.matrix(path + ".k", TOKENS, kvHeads * headDim),
          WeightSpec.matrix(path + ".v", TOKENS, kvHeads * headDim),
          WeightSpec.norm(path + ".q_norm", headDim),
          WeightSpec.norm(path + ".k_norm", headDim));
    }

    @Override
    public Tensor mix(Bench bench, State state, int layer, int first, int tokens) {
      float[] frequencies = new float[rotary / 2];
      for (int i = 0; i < frequencies.length; i++) {
        frequencies[i] = (float) Math.pow(10_000, -2.0 * i / rotary);
      }
      AttentionArgs args =
          new AttentionArgs(
              heads,
              kvHeads,
              headDim,
              new Rope(rotary, frequencies, factor),
              bench.weight(path + ".q_norm"),
              bench.weight(path + ".k_norm"),
              EPS);
      return bench
          .backend()
          .attention(
              args,
              bench.input(path + ".q", first, tokens),
              bench.input(path + ".k", first, tokens),
              bench.input(path + ".v", first, tokens),
              state,
              layer);
    }
  }

  /** Gated delta net. */
  record Delta(String path, StateShape.Delta delta) implements Mixer {
    @Override
    public String operation() {
      return "deltaNet";
    }

    @Override
    public String sizes() {
      return "%d heads of %d".formatted(delta.valueHeads(), delta.valueDim());
    }

    @Override
    public StateShape.Layer shape() {
      return delta;
    }

    private int width() {
      return delta.channels() + delta.valueHeads() * delta.valueDim();
    }

    @Override
    public void write(RandomWeights weights, SplittableRandom random) {
      table(weights, random, path + ".qkvz", width(), 1);
      table(weights, random, path + ".ba", 2 * delta.valueHeads(), 1);
      int taps = delta.channels() * delta.kernel();
      weights.floats(path + ".conv1d", RandomWeights.gaussian(random, taps, 0.5), taps);
      int heads = delta.valueHeads();
      weights.floats(path + ".A_log", RandomWeights.gaussian(random, heads, 0.5), heads);
      weights.floats(path + ".dt_bias", RandomWeights.gaussian(random, heads, 0.5), heads);
      int dim = delta.valueDim();
      weights.floats(path + ".norm", RandomWeights.gaussian(random, dim, 1), dim);
    }

    @Override
    public List<WeightSpec> specs() {
      return List.of(
          WeightSpec.matrix(path + ".qkvz", TOKENS, width()),
          WeightSpec.matrix(path + ".ba", TOKENS, 2 * delta.valueHeads()),
          WeightSpec.vector(path + ".conv1d", delta.channels() * delta.kernel()),
          WeightSpec.vector(path + ".A_log", delta.valueHeads()),
          WeightSpec.vector(path + ".dt_bias", delta.valueHeads()),
          WeightSpec.vector(path + ".norm", delta.valueDim()));
    }

    @Override
    public Tensor mix(Bench bench, State state, int layer, int first, int tokens) {
      DeltaArgs args =
          new DeltaArgs(
              delta,
              bench.weight(path + ".conv1d"),
              bench.weight(path + ".A_log"),
              bench.weight(path + ".dt_bias"),
              bench.weight(path + ".norm"),
              EPS);
      return bench
          .backend()
          .deltaNet(
              args,
              bench.input(path + ".qkvz", first, tokens),
              bench.input(path + ".ba", first, tokens),
              state,
              layer);
    }
  }
}
