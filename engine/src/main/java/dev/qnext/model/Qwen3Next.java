package dev.qnext.model;

import dev.qnext.backend.AddNorm;
import dev.qnext.backend.AttentionArgs;
import dev.qnext.backend.Backend;
import dev.qnext.backend.DeltaArgs;
import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.Rope;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.RowOrder;
import dev.qnext.checkpoint.WeightSpec;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Qwen3-Next (qwen3_next): three layers of gated delta net, then one of gated full attention, each
 * followed by a mixture of experts with a shared expert (or, where config.json says so, a dense
 * MLP).
 *
 * <p>Reads from top to bottom: arguments, attention, delta net, experts, block, model. Names are
 * the checkpoint's. Source: transformers modular_qwen3_next.py, mlx-lm qwen3_next.py. Legend: T
 * tokens, H hidden, V vocabulary, E experts.
 *
 * <p>Easy to get wrong: q_proj holds query and gate head by head; in_proj_qkvz and in_proj_ba are
 * grouped by key head as stored (the layout reorders them once); published norms are zero-centred,
 * except linear_attn.norm; RoPE turns half-split pairs of the first quarter of a head only.
 */
public final class Qwen3Next implements LanguageModel {

  // ------------------------------------------------------------------------------------- arguments

  /** What config.json says, by its keys; what it may leave out is transformers' default. */
  record Args(
      int vocabSize,
      int hiddenSize,
      int numHiddenLayers,
      int numAttentionHeads,
      int numKeyValueHeads,
      int headDim,
      Rope rope,
      long contextLimit,
      StateShape.Delta linear,
      int intermediateSize,
      int numExperts,
      int numExpertsPerTok,
      int moeIntermediateSize,
      int sharedExpertIntermediateSize,
      boolean normTopkProb,
      float rmsNormEps,
      boolean tieWordEmbeddings,
      List<Boolean> fullAttention,
      List<Boolean> sparse) {

    /**
     * Rows and columns of one matrix, which no model comes near: products of sizes fit an int, and
     * nothing large is made before the files have shown that they hold it.
     */
    private static final int LARGEST = 1 << 24;

    static Args of(Config c) {
      int hidden = c.size("hidden_size");
      int layers = c.size("num_hidden_layers");
      int heads = c.size("num_attention_heads", 16);
      int kvHeads = c.size("num_key_value_heads", 2);
      int headDim = c.size("head_dim", 256);
      int maxPositions = c.size("max_position_embeddings", 32_768);
      int keyHeads = c.size("linear_num_key_heads", 16);
      int valueHeads = c.size("linear_num_value_heads", 32);
      int keyDim = c.size("linear_key_head_dim", 128);
      int valueDim = c.size("linear_value_head_dim", 128);
      int kernel = c.size("linear_conv_kernel_dim", 4);
      int experts = c.number("num_experts", 512) == 0 ? 0 : c.size("num_experts", 512);
      int chosen = experts == 0 ? 0 : c.size("num_experts_per_tok", 10);
      if (heads % kvHeads != 0) {
        throw c.wrong(
            "num_key_value_heads",
            (long) kvHeads,
            "a divisor of num_attention_heads %d".formatted(heads));
      }
      if (valueHeads % keyHeads != 0) {
        throw c.wrong(
            "linear_num_key_heads",
            (long) keyHeads,
            "a divisor of linear_num_value_heads %d".formatted(valueHeads));
      }
      if (chosen > experts) {
        throw c.wrong(
            "num_experts_per_tok", (long) chosen, "at most num_experts %d".formatted(experts));
      }
      if (!c.text("hidden_act", "silu").equals("silu")) {
        throw c.wrong("hidden_act", c.get("hidden_act"), "\"silu\"");
      }
      if (c.flag("attention_bias", false)) {
        throw c.wrong("attention_bias", true, "false");
      }
      requireAtMost(c, "num_hidden_layers", layers, 4096);
      requireAtMost(c, "hidden_size", hidden, LARGEST);
      requireAtMost(c, "head_dim", headDim, Math.min(65_536, LARGEST / heads));
      requireAtMost(c, "linear_value_head_dim", valueDim, LARGEST / valueHeads);
      requireAtMost(c, "linear_key_head_dim", keyDim, Math.min(65_536, LARGEST / keyHeads));
      requireAtMost(c, "linear_conv_kernel_dim", kernel, 32);
      return new Args(
          c.size("vocab_size"),
          hidden,
          layers,
          heads,
          kvHeads,
          headDim,
          RopeFrequencies.of(c, headDim, maxPositions),
          RopeFrequencies.contextLimit(c, maxPositions),
          new StateShape.Delta(keyHeads, valueHeads, keyDim, valueDim, kernel),
          c.size("intermediate_size", 5632),
          experts,
          chosen,
          c.size("moe_intermediate_size", 512),
          c.size("shared_expert_intermediate_size", 512),
          c.flag("norm_topk_prob", true),
          (float) c.number("rms_norm_eps", 1e-6),
          c.flag("tie_word_embeddings", false),
          fullAttention(c, layers),
          sparse(c, layers, experts));
    }

    private static void requireAtMost(Config c, String key, int size, int most) {
      if (size > most) {
        throw c.wrong(key, (long) size, "at most %d".formatted(most));
      }
    }

    /** Newer files list {@code layer_types}; older ones give the interval. */
    private static List<Boolean> fullAttention(Config c, int layers) {
      List<Boolean> full = new ArrayList<>();
      List<String> types = c.texts("layer_types");
      int interval = c.size("full_attention_interval", 4);
      if (!types.isEmpty() && types.size() != layers) {
        throw c.wrong(
            "layer_types", types, "a list of num_hidden_layers %d entries".formatted(layers));
      }
      for (int i = 0; i < layers; i++) {
        if (types.isEmpty()) {
          full.add((i + 1) % interval == 0);
          continue;
        }
        String type = types.get(i);
        full.add(
            switch (type) {
              case "full_attention" -> true;
              case "linear_attention" -> false;
              default ->
                  throw c.wrong("layer_types", type, "\"full_attention\" or \"linear_attention\"");
            });
      }
      return full;
    }

    private static List<Boolean> sparse(Config c, int layers, int experts) {
      List<Boolean> sparse = new ArrayList<>();
      int step = c.size("decoder_sparse_step", 1);
      for (int i = 0; i < layers; i++) {
        sparse.add(experts > 0 && (i + 1) % step == 0);
      }
      for (int dense : c.ids("mlp_only_layers")) {
        if (dense < layers) {
          sparse.set(dense, false);
        }
      }
      return sparse;
    }
  }

  // ------------------------------------------------------------------------------------- attention

  /** Full attention whose heads carry a gate each. */
  private static final class Attention {
    private final Backend backend;
    private final AttentionArgs args;
    private final Weight qProj;
    private final Weight kProj;
    private final Weight vProj;
    private final Weight oProj;

    static void layout(List<WeightSpec> layout, String path, Args a) {
      int q = a.numAttentionHeads * a.headDim;
      int kv = a.numKeyValueHeads * a.headDim;
      layout.add(WeightSpec.matrix(path + ".q_proj", 2 * q, a.hiddenSize));
      layout.add(WeightSpec.matrix(path + ".k_proj", kv, a.hiddenSize));
      layout.add(WeightSpec.matrix(path + ".v_proj", kv, a.hiddenSize));
      layout.add(WeightSpec.norm(path + ".q_norm", a.headDim));
      layout.add(WeightSpec.norm(path + ".k_norm", a.headDim));
      layout.add(WeightSpec.matrix(path + ".o_proj", a.hiddenSize, q));
    }

    Attention(Backend backend, Weights weights, String path, Args a) {
      this.backend = backend;
      this.qProj = weights.get(path + ".q_proj");
      this.kProj = weights.get(path + ".k_proj");
      this.vProj = weights.get(path + ".v_proj");
      this.oProj = weights.get(path + ".o_proj");
      this.args =
          new AttentionArgs(
              a.numAttentionHeads,
              a.numKeyValueHeads,
              a.headDim,
              a.rope,
              weights.get(path + ".q_norm"),
              weights.get(path + ".k_norm"),
              a.rmsNormEps);
    }

    Tensor forward(Tensor x, State state, int layer) {
      Tensor qGate = backend.linear(qProj, x);
      Tensor k = backend.linear(kProj, x);
      Tensor v = backend.linear(vProj, x);
      return backend.linear(oProj, backend.attention(args, qGate, k, v, state, layer));
    }
  }

  // ------------------------------------------------------------------------------------- delta net

  /** Linear attention with a gated delta rule. */
  private static final class DeltaNet {
    private final Backend backend;
    private final DeltaArgs args;
    private final Weight inProjQkvz;
    private final Weight inProjBa;
    private final Weight outProj;

    static void layout(List<WeightSpec> layout, String path, Args a) {
      StateShape.Delta d = a.linear;
      int keys = d.keyHeads() * d.keyDim();
      int values = d.valueHeads() * d.valueDim();
      int perKey = d.valueHeads() / d.keyHeads();
      int perKeyValues = perKey * d.valueDim();
      RowOrder qkvz =
          new RowOrder(d.keyHeads(), List.of(d.keyDim(), d.keyDim(), perKeyValues, perKeyValues));
      RowOrder ba = new RowOrder(d.keyHeads(), List.of(perKey, perKey));
      layout.add(
          WeightSpec.matrix(path + ".in_proj_qkvz", 2 * keys + 2 * values, a.hiddenSize, qkvz));
      layout.add(WeightSpec.matrix(path + ".in_proj_ba", 2 * d.valueHeads(), a.hiddenSize, ba));
      layout.add(WeightSpec.vector(path + ".conv1d", d.channels() * d.kernel()));
      layout.add(WeightSpec.vector(path + ".A_log", d.valueHeads()));
      layout.add(WeightSpec.vector(path + ".dt_bias", d.valueHeads()));
      layout.add(WeightSpec.vector(path + ".norm", d.valueDim()));
      layout.add(WeightSpec.matrix(path + ".out_proj", a.hiddenSize, values));
    }

    DeltaNet(Backend backend, Weights weights, String path, Args a) {
      this.backend = backend;
      this.inProjQkvz = weights.get(path + ".in_proj_qkvz");
      this.inProjBa = weights.get(path + ".in_proj_ba");
      this.outProj = weights.get(path + ".out_proj");
      this.args =
          new DeltaArgs(
              a.linear,
              weights.get(path + ".conv1d"),
              weights.get(path + ".A_log"),
              weights.get(path + ".dt_bias"),
              weights.get(path + ".norm"),
              a.rmsNormEps);
    }

    Tensor forward(Tensor x, State state, int layer) {
      Tensor qkvz = backend.linear(inProjQkvz, x);
      Tensor ba = backend.linear(inProjBa, x);
      return backend.linear(outProj, backend.deltaNet(args, qkvz, ba, state, layer));
    }
  }

  // --------------------------------------------------------------------------------------- experts

  /** A mixture of experts, or the dense MLP that some layers have in its place. */
  private static final class Mlp {
    private final Backend backend;
    private final @Nullable ExpertArgs experts;
    private final @Nullable Weight gateProj;
    private final @Nullable Weight upProj;
    private final @Nullable Weight downProj;

    static void layout(List<WeightSpec> layout, String path, boolean sparse, Args a) {
      if (!sparse) {
        swiglu(layout, path, a.intermediateSize, a.hiddenSize);
        return;
      }
      int inner = a.moeIntermediateSize;
      layout.add(WeightSpec.matrix(path + ".gate", a.numExperts, a.hiddenSize));
      String experts = path + ".switch_mlp";
      layout.add(WeightSpec.experts(experts + ".gate_proj", a.numExperts, inner, a.hiddenSize));
      layout.add(WeightSpec.experts(experts + ".up_proj", a.numExperts, inner, a.hiddenSize));
      layout.add(WeightSpec.experts(experts + ".down_proj", a.numExperts, a.hiddenSize, inner));
      swiglu(layout, path + ".shared_expert", a.sharedExpertIntermediateSize, a.hiddenSize);
      layout.add(WeightSpec.matrix(path + ".shared_expert_gate", 1, a.hiddenSize));
    }

    private static void swiglu(List<WeightSpec> layout, String path, int inner, int hidden) {
      layout.add(WeightSpec.matrix(path + ".gate_proj", inner, hidden));
      layout.add(WeightSpec.matrix(path + ".up_proj", inner, hidden));
      layout.add(WeightSpec.matrix(path + ".down_proj", hidden, inner));
    }

    Mlp(Backend backend, Weights weights, String path, boolean sparse, Args a) {
      this.backend = backend;
      this.gateProj = sparse ? null : weights.get(path + ".gate_proj");
      this.upProj = sparse ? null : weights.get(path + ".up_proj");
      this.downProj = sparse ? null : weights.get(path + ".down_proj");
      this.experts =
          !sparse
              ? null
              : new ExpertArgs(
                  a.numExperts,
                  a.numExpertsPerTok,
                  a.normTopkProb,
                  weights.get(path + ".gate"),
                  weights.get(path + ".switch_mlp.gate_proj"),
                  weights.get(path + ".switch_mlp.up_proj"),
                  weights.get(path + ".switch_mlp.down_proj"),
                  weights.get(path + ".shared_expert.gate_proj"),
                  weights.get(path + ".shared_expert.up_proj"),
                  weights.get(path + ".shared_expert.down_proj"),
                  weights.get(path + ".shared_expert_gate"));
    }

    Tensor forward(Tensor x) {
      if (gateProj != null && upProj != null && downProj != null) {
        Tensor inner = backend.swiglu(backend.linear(gateProj, x), backend.linear(upProj, x));
        return backend.linear(downProj, inner);
      }
      return backend.experts(java.util.Objects.requireNonNull(experts), x);
    }
  }

  // ----------------------------------------------------------------------------------------- block

  /** One layer; the MTP module uses one too. */
  static final class Block {
    private final Backend backend;
    private final int layer;
    private final float eps;
    private final Weight inputLayernorm;
    private final Weight postAttentionLayernorm;
    private final @Nullable Attention selfAttn;
    private final @Nullable DeltaNet linearAttn;
    private final Mlp mlp;

    static void layout(
        List<WeightSpec> layout, String path, boolean fullAttention, boolean sparse, Args a) {
      layout.add(WeightSpec.norm(path + ".input_layernorm", a.hiddenSize));
      if (fullAttention) {
        Attention.layout(layout, path + ".self_attn", a);
      } else {
        DeltaNet.layout(layout, path + ".linear_attn", a);
      }
      layout.add(WeightSpec.norm(path + ".post_attention_layernorm", a.hiddenSize));
      Mlp.layout(layout, path + ".mlp", sparse, a);
    }

    Block(
        Backend backend,
        Weights weights,
        String path,
        int layer,
        boolean fullAttention,
        boolean sparse,
        Args a) {
      this.backend = backend;
      this.layer = layer;
      this.eps = a.rmsNormEps;
      this.inputLayernorm = weights.get(path + ".input_layernorm");
      this.postAttentionLayernorm = weights.get(path + ".post_attention_layernorm");
      this.selfAttn =
          fullAttention ? new Attention(backend, weights, path + ".self_attn", a) : null;
      this.linearAttn =
          fullAttention ? null : new DeltaNet(backend, weights, path + ".linear_attn", a);
      this.mlp = new Mlp(backend, weights, path + ".mlp", sparse, a);
    }

    /**
     * The stream before this layer is residual + delta, and so is what comes back: sum and norm are
     * one operation.
     */
    Stream forward(Stream in, State state) {
      AddNorm x = backend.addNorm(in.residual, in.delta, inputLayernorm, eps);
      Tensor mixed =
          selfAttn != null
              ? selfAttn.forward(x.normed(), state, layer)
              : java.util.Objects.requireNonNull(linearAttn).forward(x.normed(), state, layer);
      AddNorm h = backend.addNorm(x.residual(), mixed, postAttentionLayernorm, eps);
      return new Stream(h.residual(), mlp.forward(h.normed()));
    }
  }

  /** The residual stream [T, H], with the last sum not yet done. */
  record Stream(Tensor residual, @Nullable Tensor delta) {}

  // ----------------------------------------------------------------------------------------- model

  static final String EMBED_TOKENS = "model.embed_tokens";
  private static final String NORM = "model.norm";
  static final String LM_HEAD = "lm_head";

  private final Args args;
  private final Backend backend;
  private final Weights weights;
  private final Weight embedTokens;
  private final List<Block> layers;
  private final Weight norm;
  private final Weight lmHead;

  static Qwen3Next load(Checkpoint checkpoint, Backend backend) {
    Args args = Args.of(checkpoint.config());
    return new Qwen3Next(args, backend, backend.bind(checkpoint, layout(args)));
  }

  static Layout layout(Args a) {
    List<WeightSpec> layout = new ArrayList<>();
    layout.add(WeightSpec.matrix(EMBED_TOKENS, a.vocabSize, a.hiddenSize));
    for (int i = 0; i < a.numHiddenLayers; i++) {
      Block.layout(layout, "model.layers." + i, a.fullAttention.get(i), a.sparse.get(i), a);
    }
    layout.add(WeightSpec.norm(NORM, a.hiddenSize));
    if (!a.tieWordEmbeddings) {
      layout.add(WeightSpec.matrix(LM_HEAD, a.vocabSize, a.hiddenSize));
    }
    return new Layout(layout);
  }

  private Qwen3Next(Args args, Backend backend, Weights weights) {
    this.args = args;
    this.backend = backend;
    this.weights = weights;
    this.embedTokens = weights.get(EMBED_TOKENS);
    this.layers = new ArrayList<>();
    for (int i = 0; i < args.numHiddenLayers; i++) {
      layers.add(
          new Block(
              backend,
              weights,
              "model.layers." + i,
              i,
              args.fullAttention.get(i),
              args.sparse.get(i),
              args));
    }
    this.norm = weights.get(NORM);
    this.lmHead = args.tieWordEmbeddings ? embedTokens : weights.get(LM_HEAD);
  }

  @Override
  public Tensor forward(Tensor tokens, State state) {
    Stream h = new Stream(embed(tokens), null);
    for (Block layer : layers) {
      h = layer.forward(h, state);
    }
    return backend.addNorm(h.residual, h.delta, norm, args.rmsNormEps).normed();
  }

  @Override
  public Tensor logits(Tensor hidden, Rows rows) {
    return backend.logits(lmHead, hidden, rows);
  }

  Tensor embed(Tensor tokens) {
    return backend.embed(embedTokens, tokens);
  }

  Args args() {
    return args;
  }

  @Override
  public Backend backend() {
    return backend;
  }

  @Override
  public int vocabularySize() {
    return args.vocabSize;
  }

  @Override
  public long contextLimit() {
    return args.contextLimit;
  }

  @Override
  public StateShape stateShape() {
    return stateShape(args);
  }

  static StateShape stateShape(Args a) {
    List<StateShape.Layer> shapes = new ArrayList<>();
    for (boolean full : a.fullAttention) {
      shapes.add(full ? attentionShape(a) : a.linear);
    }
    return new StateShape(shapes);
  }

  static StateShape.Layer attentionShape(Args a) {
    return new StateShape.Attention(a.numKeyValueHeads, a.headDim);
  }

  @Override
  public void close() {
    weights.close();
  }
}
