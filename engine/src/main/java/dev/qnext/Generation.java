package dev.qnext;

import dev.qnext.generate.Generator;
import dev.qnext.generate.Request;
import dev.qnext.generate.Result;
import dev.qnext.generate.Session;
import dev.qnext.generate.TokenListener;
import dev.qnext.text.TextStream;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A reply that is being generated. The engine's thread puts tokens into a bounded queue, so that a
 * slow reader slows the model and no reader at all, after {@link #cancel}, lets it end.
 */
public final class Generation {
  /** Tokens that the model may be ahead of the reader. */
  private static final int QUEUE = 64;

  /**
   * A token and the text that it completes; the id is -1 for a rest of text behind the last token.
   */
  public record Token(int id, String text) {}

  private record Ended(@Nullable Result result, @Nullable Throwable failure) {}

  private final BlockingQueue<Object> queue = new ArrayBlockingQueue<>(QUEUE);
  private final AtomicBoolean cancelled = new AtomicBoolean();
  private final @Nullable TextStream text;
  private final TokenListener listener;
  private @Nullable Ended ended;

  Generation(@Nullable TextStream text, TokenListener listener) {
    this.text = text;
    this.listener = listener;
  }

  void run(Generator generator, Session session, Request request) {
    Ended end;
    try {
      Result result = generator.generate(session, request, this::accept, cancelled);
      String rest = text == null ? "" : text.finish();
      if (!rest.isEmpty()) {
        put(new Token(-1, rest));
      }
      end = new Ended(result, null);
    } catch (Throwable e) {
      end = new Ended(null, e);
    }
    put(end);
  }

  private boolean accept(int id) {
    put(new Token(id, text == null ? "" : text.accept(id)));
    return listener.accept(id) && (text == null || !text.stopped());
  }

  private void put(Object event) {
    try {
      // Whoever cancelled may have stopped reading: tokens are dropped then, the end is not.
      while (!queue.offer(event, 100, TimeUnit.MILLISECONDS)) {
        if (cancelled.get()) {
          if (event instanceof Token) {
            return;
          }
          queue.poll();
        }
      }
    } catch (InterruptedException e) {
      cancelled.set(true);
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Waits for the next token; null at the end. Failures of the model are thrown here. For one
   * reader.
   */
  public @Nullable Token next() throws InterruptedException {
    if (ended == null) {
      Object event = queue.take();
      if (event instanceof Token token) {
        return token;
      }
      ended = (Ended) event;
    }
    return switch (ended.failure) {
      case null -> null;
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(ended.failure);
    };
  }

  /** Ends the reply behind the token that is being computed; any thread. */
  public void cancel() {
    cancelled.set(true);
  }

  /** How it ended, once {@link #next} has returned null. */
  public Result result() {
    if (ended == null || ended.result == null) {
      throw new IllegalStateException("the generation has not ended");
    }
    return ended.result;
  }
}
