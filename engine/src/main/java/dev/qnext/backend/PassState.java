package dev.qnext.backend;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * What the states of all backends have in common: the count of tokens, the order of passes, and the
 * frame of a saved state (magic number, signature, length, data, checksum). What is remembered, and
 * how, is the backend's.
 */
public abstract class PassState implements State {
  private final int magic;
  private final byte[] signature;
  private final long capacity;
  private int length;
  private @Nullable Pass pass;
  private int passTokens;

  /**
   * @param magic names the backend's kind of saved state
   * @param signature only states with the same one can be exchanged
   */
  protected PassState(int magic, String signature, long capacity) {
    this.magic = magic;
    this.signature = signature.getBytes(StandardCharsets.UTF_8);
    this.capacity = Math.min(capacity, Integer.MAX_VALUE);
  }

  /** Before a pass that will make so many tokens in all is opened; an exception refuses it. */
  protected void prepare(int needed) {}

  /** Keeps the first n of the tokens of the pass that is being closed. */
  protected abstract void keep(Pass closing, int n, int tokens);

  /** Forgets all tokens. */
  protected abstract void forget();

  /**
   * Takes random numbers for what so many tokens left behind: between -1 and 1 for keys and values,
   * between -1/16 and 1/16 for all else, which is about what models leave. Nothing is held before.
   */
  protected abstract void randomize(int tokens, SplittableRandom random);

  /** Whether a shorter prefix cannot be reached by forgetting. */
  protected abstract boolean isRecurrent();

  protected abstract void write(DataOutputStream out, int tokens) throws IOException;

  protected abstract void read(DataInputStream in, int tokens) throws IOException;

  /** For a fork: its arrays hold so many tokens. */
  protected final void holds(int tokens) {
    length = tokens;
  }

  /** The kind of the pass that is open; null if none is. */
  public final @Nullable Pass pass() {
    return pass;
  }

  /** The position of the open pass's first token, which has so many tokens. */
  public final int first(int tokens) {
    if (pass == null || tokens != passTokens) {
      throw new IllegalStateException(
          "%d tokens in a pass of %d".formatted(tokens, pass == null ? 0 : passTokens));
    }
    return length;
  }

  @Override
  public final long length() {
    return length;
  }

  @Override
  public final long capacity() {
    return capacity;
  }

  @Override
  public final void begin(Pass newPass, int tokens) {
    requireClosed();
    if (tokens < 1 || newPass == Pass.VERIFY && tokens > MAX_VERIFY) {
      throw new IllegalArgumentException("a %s pass of %d tokens".formatted(newPass, tokens));
    }
    if (length + (long) tokens > capacity) {
      throw new IllegalArgumentException(
          "%d tokens do not fit behind %d of %d".formatted(tokens, length, capacity));
    }
    prepare(length + tokens);
    pass = newPass;
    passTokens = tokens;
  }

  @Override
  public final void accept(int n) {
    Pass closing = pass;
    if (closing == null) {
      throw new IllegalStateException("no pass is open");
    }
    if (n < 0 || n > passTokens || closing == Pass.PREFILL && n != passTokens) {
      throw new IllegalArgumentException("accept %d of %d tokens".formatted(n, passTokens));
    }
    try {
      keep(closing, n, passTokens);
      length += n;
    } finally {
      pass = null;
    }
  }

  @Override
  public final void fill(long tokens, long seed) {
    requireClosed();
    if (tokens < 0 || tokens > capacity) {
      throw new IllegalArgumentException(
          "%d tokens do not fit into %d".formatted(tokens, capacity));
    }
    length = 0;
    forget();
    if (tokens > 0) {
      prepare((int) tokens);
      randomize((int) tokens, new SplittableRandom(seed));
    }
    length = (int) tokens;
  }

  @Override
  public final void rewind(long newLength) {
    requireClosed();
    if (newLength < 0 || newLength > length) {
      throw new IllegalArgumentException("rewind from %d to %d".formatted(length, newLength));
    }
    if (newLength == 0) {
      forget();
    } else if (newLength != length && isRecurrent()) {
      throw new UnsupportedOperationException("recurrent state cannot be cut");
    }
    length = (int) newLength;
  }

  protected final void requireClosed() {
    if (pass != null) {
      throw new IllegalStateException("a pass is open");
    }
  }

  @Override
  public final void save(OutputStream stream) throws IOException {
    requireClosed();
    CRC32C sum = new CRC32C();
    DataOutputStream out = new DataOutputStream(new CheckedOutputStream(stream, sum));
    out.writeInt(magic);
    out.writeInt(signature.length);
    out.write(signature);
    out.writeInt(length);
    write(out, length);
    out.writeInt((int) sum.getValue());
    out.flush();
  }

  @Override
  public final void restore(InputStream stream) throws IOException {
    requireClosed();
    length = 0;
    forget();
    CRC32C sum = new CRC32C();
    DataInputStream in = new DataInputStream(new CheckedInputStream(stream, sum));
    try {
      if (in.readInt() != magic
          || in.readInt() != signature.length
          || !Arrays.equals(in.readNBytes(signature.length), signature)) {
        throw new IOException("not a saved state of this model");
      }
      int saved = in.readInt();
      if (saved < 0 || saved > capacity) {
        throw new IOException(
            "the saved state has %d tokens, and there is room for %d".formatted(saved, capacity));
      }
      read(in, saved);
      int expected = (int) sum.getValue();
      if (in.readInt() != expected) {
        throw new IOException("the saved state is damaged");
      }
      length = saved;
    } catch (EOFException e) {
      forget();
      throw new IOException("the saved state is cut short", e);
    } catch (Throwable e) {
      forget();
      throw e;
    }
  }
}
