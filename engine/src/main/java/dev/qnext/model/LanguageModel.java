package dev.qnext.model;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.checkpoint.Layout;

/** A model that reads token ids and predicts the next: all that the generator knows of it. */
public interface LanguageModel extends AutoCloseable {
  /** Binds the architecture that config.json names. */
  static LanguageModel load(Checkpoint checkpoint, Backend backend) {
    requireSupported(checkpoint);
    return Qwen3Next.load(checkpoint, backend);
  }

  /** Refuses an architecture that this project does not have. */
  static void requireSupported(Checkpoint checkpoint) {
    requireSupported(checkpoint.config());
  }

  /** The same of a config.json alone. */
  static void requireSupported(Config config) {
    if (!isSupported(config)) {
      throw new QnextException(
          "%s is of the type \"%s\", which is not supported; supported: qwen3_next"
              .formatted(config.file().resolveSibling(""), config.text("model_type", "")));
    }
  }

  /** Whether this project has the architecture that a config.json names. */
  static boolean isSupported(Config config) {
    return "qwen3_next".equals(config.get("model_type"));
  }

  /** All weights that a config.json asks for, without those of the MTP module. */
  static Layout layout(Config config) {
    return Qwen3Next.layout(Qwen3Next.Args.of(config));
  }

  Backend backend();

  /** Rows of the embedding table; ids from 0 to this - 1 are valid. */
  int vocabularySize();

  /** Tokens that the positions were made for. */
  long contextLimit();

  StateShape stateShape();

  /**
   * Reads the tokens of the pass that is open on the state.
   *
   * @param tokens ids [T, 1]
   * @return the hidden state behind the final norm, [T, hidden]
   */
  Tensor forward(Tensor tokens, State state);

  /** Logits of the given rows of hidden states, [count, vocabulary]. */
  Tensor logits(Tensor hidden, Rows rows);

  @Override
  void close();
}
