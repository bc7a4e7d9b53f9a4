package dev.qnext.model;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.Weight;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.WeightSpec;
import java.util.ArrayList;
import java.util.List;

/**
 * The multi-token-prediction module: one gated-attention layer with experts that, from the hidden
 * state of token t and token t + 1, predicts token t + 2. Embedding table and head are the model's.
 *
 * <pre>
 * e = norm(embed(x[t+1]))    h = norm(H[t])     H behind the model's final norm
 * u = fc(concat[e, h])                          embedding first
 * z = norm(layer(u))                            own keys and values, position t
 * logits(z) predicts x[t+2]; in a chain, the next draft takes z in place of H and the drafted token
 * </pre>
 *
 * Source: vLLM qwen3_next_mtp.py, Megatron.
 */
public final class Mtp implements AutoCloseable {
  private static final String LAYER = "mtp.layers.0";

  private final Qwen3Next model;
  private final Backend backend;
  private final Weights weights;
  private final Weight fc;
  private final Weight preFcNormEmbedding;
  private final Weight preFcNormHidden;
  private final Qwen3Next.Block layer;
  private final Weight norm;

  /** True if the folder holds the module, inside or in {@code mtp.safetensors}. */
  public static boolean isIn(Checkpoint checkpoint) {
    return checkpoint.tensors().containsKey("mtp.fc.weight");
  }

  /** Binds the module of a checkpoint that has one, for the model bound from it. */
  public static Mtp load(Checkpoint checkpoint, LanguageModel model) {
    if (!(model instanceof Qwen3Next qwen)) {
      throw new IllegalArgumentException("no MTP module for " + model.getClass().getSimpleName());
    }
    return new Mtp(qwen, qwen.backend().bind(checkpoint, layout(qwen.args())));
  }

  static Layout layout(Qwen3Next.Args a) {
    List<WeightSpec> layout = new ArrayList<>();
    layout.add(WeightSpec.norm("mtp.pre_fc_norm_embedding", a.hiddenSize()));
    layout.add(WeightSpec.norm("mtp.pre_fc_norm_hidden", a.hiddenSize()));
    layout.add(WeightSpec.matrix("mtp.fc", a.hiddenSize(), 2 * a.hiddenSize()));
    Qwen3Next.Block.layout(layout, LAYER, true, true, a);
    layout.add(WeightSpec.norm("mtp.norm", a.hiddenSize()));
    return new Layout(layout);
  }

  private Mtp(Qwen3Next model, Weights weights) {
    this.model = model;
    this.backend = model.backend();
    this.weights = weights;
    this.fc = weights.get("mtp.fc");
    this.preFcNormEmbedding = weights.get("mtp.pre_fc_norm_embedding");
    this.preFcNormHidden = weights.get("mtp.pre_fc_norm_hidden");
    this.layer = new Qwen3Next.Block(backend, weights, LAYER, 0, true, true, model.args());
    this.norm = weights.get("mtp.norm");
  }

  /** One attention layer, whose position t belongs to the pair (H[t], x[t+1]). */
  public StateShape stateShape() {
    return new StateShape(List.of(Qwen3Next.attentionShape(model.args())));
  }

  /**
   * Reads pairs in the pass that is open on this module's state.
   *
   * @param next the tokens after the hidden states', ids [T, 1]
   * @param hidden [T, H], the model's output, or z of the step before in a chain of drafts
   * @return z [T, H]
   */
  public Tensor forward(Tensor next, Tensor hidden, State state) {
    float eps = model.args().rmsNormEps();
    Tensor e = backend.addNorm(model.embed(next), null, preFcNormEmbedding, eps).normed();
    Tensor h = backend.addNorm(hidden, null, preFcNormHidden, eps).normed();
    Tensor u = backend.linear(fc, backend.concat(e, h));
    Qwen3Next.Stream y = layer.forward(new Qwen3Next.Stream(u, null), state);
    return backend.addNorm(y.residual(), y.delta(), norm, eps).normed();
  }

  /** Logits of the token after next, [count, vocabulary]. */
  public Tensor logits(Tensor z, Rows rows) {
    return model.logits(z, rows);
  }

  @Override
  public void close() {
    weights.close();
  }
}
