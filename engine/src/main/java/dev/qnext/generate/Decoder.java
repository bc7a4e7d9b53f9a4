package dev.qnext.generate;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Scope;
import dev.qnext.backend.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Draws the tokens of one reply, one after another. A step reads a token into the session and draws
 * the one behind it. On a deferred backend the step is built and started while its token is still
 * on the device, and only then is the token read: the device never waits for Java. If that token
 * ends the reply, the step was in vain and is dropped; on both kinds of backend the last token of a
 * reply is drawn and not read into the session.
 */
final class Decoder implements AutoCloseable {
  private final Backend backend;
  private final Session session;
  private final Sampler sampler;
  private final boolean ahead;

  /** The token that {@link #next} returned last or will return next, [1, 1]. */
  private @Nullable Tensor token;

  /** The one behind it, [1, 1]; a pass that reads {@link #token} is open as long as it is here. */
  private @Nullable Tensor following;

  private int id;

  Decoder(Backend backend, Session session, Sampler sampler) {
    this.backend = backend;
    this.session = session;
    this.sampler = sampler;
    this.ahead = backend.deferred() && !sampler.needsIds();
  }

  /**
   * The next token's id.
   *
   * @param more false if it is known beforehand that no other will be asked for
   */
  int next(boolean more) {
    if (token == null) {
      token = draw();
    } else {
      if (following == null) {
        following = step(token);
      }
      session.accept(id);
      token.close();
      token = following;
      following = null;
    }
    if (more && ahead) {
      following = step(token);
    }
    id = backend.readTokens(token)[0];
    return id;
  }

  private Tensor step(Tensor read) {
    session.verify(read);
    return draw();
  }

  /** Draws behind the session's last token, and begins to compute. */
  private Tensor draw() {
    Tensor drawn;
    try (Scope scope = backend.scope()) {
      drawn = scope.keep(sampler.draw(session.logits(), session.position()));
    }
    try {
      backend.start(drawn);
      return drawn;
    } catch (Throwable e) {
      drawn.close();
      throw e;
    }
  }

  @Override
  public void close() {
    if (token != null) {
      token.close();
    }
    if (following != null) {
      following.close();
      session.accept();
    }
  }
}
