package dev.qnext.mock;

import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.StateShape;
import dev.qnext.backend.Tensor;
import dev.qnext.model.LanguageModel;
import java.util.List;

/** The model that {@link MockBackend} computes, of any vocabulary and without a checkpoint. */
public final class MockModel implements LanguageModel {
  private final int vocabulary;
  private final MockBackend backend;

  public long contextLimit = 1 << 20;

  public MockModel(int vocabulary) {
    this.vocabulary = vocabulary;
    this.backend = new MockBackend(vocabulary);
  }

  @Override
  public MockBackend backend() {
    return backend;
  }

  @Override
  public int vocabularySize() {
    return vocabulary;
  }

  @Override
  public long contextLimit() {
    return contextLimit;
  }

  @Override
  public StateShape stateShape() {
    return new StateShape(List.of());
  }

  @Override
  public Tensor forward(Tensor tokens, State state) {
    return backend.read(tokens, state);
  }

  @Override
  public Tensor logits(Tensor hidden, Rows rows) {
    return backend.logits(hidden, rows);
  }

  @Override
  public void close() {}
}
