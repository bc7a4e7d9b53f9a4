package dev.qnext.suites;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Pass;
import dev.qnext.backend.Rows;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.Scope;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.model.LanguageModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;

/** A checkpoint on a backend, and what tests ask of it: logits and saved states as plain arrays. */
public final class ModelRun implements AutoCloseable {
  /** Tokens in a state. */
  public static final int CAPACITY = 1024;

  public final Backend backend;
  public final Checkpoint checkpoint;
  public final LanguageModel model;

  /** Takes the backend over: it is closed with this run, and when the model cannot be loaded. */
  public ModelRun(Backend backend, Path folder) {
    this.backend = backend;
    try {
      checkpoint = Checkpoint.open(folder);
      model = LanguageModel.load(checkpoint, backend);
    } catch (RuntimeException e) {
      backend.close();
      throw e;
    }
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
  public float[] verify(State state, int kept, int... ids) {
    state.begin(Pass.VERIFY, ids.length);
    float[] logits = forward(state, ids);
    state.accept(kept);
    return logits;
  }

  private float[] forward(State state, int[] ids) {
    try (Scope scope = backend.scope()) {
      Tensor hidden = model.forward(backend.tokens(ids), state);
      return floats(model.logits(hidden, Rows.all(hidden)));
    }
  }

  /** The last row of logits. */
  float[] last(float[] logits) {
    return Arrays.copyOfRange(logits, logits.length - model.vocabularySize(), logits.length);
  }

  /** The largest logit's token of every row. */
  int[] argmax(float[] logits) {
    int width = model.vocabularySize();
    int[] tokens = new int[logits.length / width];
    for (int t = 0; t < tokens.length; t++) {
      tokens[t] = Sampling.argmax(Arrays.copyOfRange(logits, t * width, (t + 1) * width));
    }
    return tokens;
  }

  /** Logits of all rows from an empty state, in one prefill. */
  public float[] logits(int... ids) {
    try (State state = newState()) {
      return prefill(state, ids);
    }
  }

  public float[] floats(Tensor tensor) {
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
