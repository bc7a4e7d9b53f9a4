package dev.qnext.backend;

/** One weight as its backend holds it, in whatever format the checkpoint stores it. */
public interface Weight {
  /** The name of the module in the checkpoint, such as {@code model.layers.3.self_attn.q_proj}. */
  String path();
}
