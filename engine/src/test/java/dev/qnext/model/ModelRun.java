package dev.qnext.model;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.Checkpoint;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.SplittableRandom;

/** A checkpoint on a backend, and what tests ask of it: logits and saved states as plain arrays. */
public final class ModelRun implements AutoCloseable {
  /** Tokens in a state. */
  static final int CAPACITY = 1024;

  public final Backend backend;
  final Checkpoint checkpoint;
  public final LanguageModel model;

  public ModelRun(Backend backend, Path folder) {
    this.backend = backend;
    this.checkpoint = Checkpoint.open(folder);
    this.model = LanguageModel.load(checkpoint, backend);
  }

  /** Seeded token ids. */
  public int[] tokens(long seed, int count) {
    return new SplittableRandom(seed).ints(count, 0, model.vocabularySize()).toArray();
  }

  public State newState() {
    return backend.newState(model.stateShape(), CAPACITY);
  }

  /** Reads tokens in one prefill: logits of all rows, [T, vocabulary]. */
  public float[] prefill(State state, int... ids) {
    state.begin(Pass.PREFILL, ids.length);
    float[] logits = forward(state, ids);
    state.accept(ids.length);
    return logits;
  }

  /** Reads tokens in one verify pass and keeps the first n: logits of all rows. */
  float[] verify(State state, int kept, int... ids) {
    state.begin(Pass.VERIFY, ids.length);
    float[] logits = forward(state, ids);
    state.accept(kept);
    return logits;
  }

  private float[] forward(State state, int[] ids) {
    Tensor hidden = model.forward(backend.tokens(ids), state);
    return floats(model.logits(hidden, Rows.all(hidden)));
  }

  /** Logits of all rows from an empty state, in one prefill. */
  public float[] logits(int... ids) {
    try (State state = newState()) {
      return prefill(state, ids);
    }
  }

  float[] floats(Tensor tensor) {
    float[] out = new float[tensor.rows() * tensor.columns()];
    backend.readFloats(tensor, MemorySegment.ofArray(out));
    return out;
  }

  public static byte[] saved(State state) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      state.save(out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  @Override
  public void close() {
    model.close();
    checkpoint.close();
    backend.close();
  }
}
