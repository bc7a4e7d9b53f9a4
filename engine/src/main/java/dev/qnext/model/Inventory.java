package dev.qnext.model;

import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.StoredWeight;
import dev.qnext.checkpoint.WeightSpec;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a checkpoint's model consists of: sizes, formats, parameters. Finding every weight also
 * proves that the folder is whole.
 */
public final class Inventory {
  private final Map<String, Object> facts = new LinkedHashMap<>();
  private final Map<String, Long> bytesOfFormats = new LinkedHashMap<>();
  private long parameters;

  private Inventory() {}

  public static Inventory of(Checkpoint checkpoint) {
    LanguageModel.requireSupported(checkpoint);
    Qwen3Next.Args args = Qwen3Next.Args.of(checkpoint.config());
    Inventory inventory = new Inventory();
    inventory.count(checkpoint, Qwen3Next.layout(args));
    boolean mtp = Mtp.isIn(checkpoint);
    Map<String, Object> facts = inventory.facts;
    facts.put("layers", args.numHiddenLayers());
    facts.put("hidden_size", args.hiddenSize());
    facts.put("vocabulary", args.vocabSize());
    facts.put("experts", args.numExperts());
    facts.put("experts_per_token", args.numExpertsPerTok());
    facts.put("context", args.contextLimit());
    facts.put("parameters", inventory.parameters);
    if (mtp) {
      long before = inventory.parameters;
      inventory.count(checkpoint, Mtp.layout(args));
      facts.put("mtp_parameters", inventory.parameters - before);
    }
    facts.put("mtp", mtp);
    return inventory;
  }

  private void count(Checkpoint checkpoint, Layout layout) {
    for (WeightSpec spec : layout.weights()) {
      StoredWeight weight = checkpoint.find(spec);
      parameters += (long) spec.experts() * spec.rows() * spec.columns();
      bytesOfFormats.merge(weight.format().toString(), weight.bytes(), Long::sum);
    }
  }

  /** Numbers and switches of the architecture, in an order to print. */
  public Map<String, Object> facts() {
    return facts;
  }

  /** Bytes in the files by storage format. */
  public Map<String, Long> bytesOfFormats() {
    return bytesOfFormats;
  }
}
