package dev.qnext.generate;

import dev.qnext.QnextException;
import dev.qnext.model.LanguageModel;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Token ids in, token ids out: reads the prompt in chunks, then draws one token after another.
 * Knows nothing of text; what a token means to the caller is the listener's business. The last
 * token of a reply is drawn but not read.
 */
public final class Generator {
  private final LanguageModel model;

  public Generator(LanguageModel model) {
    this.model = model;
  }

  /**
   * After a failure the session is empty, and fit for use.
   *
   * @param cancelled looked at between passes
   * @throws QnextException if the prompt is empty, holds an id that the model does not have, or is
   *     too long
   */
  public Result generate(
      Session session, Request request, TokenListener listener, AtomicBoolean cancelled) {
    check(request, session.capacity());
    try {
      return run(session, request, listener, cancelled);
    } catch (Throwable e) {
      try {
        session.reset();
      } catch (RuntimeException second) {
        e.addSuppressed(second);
      }
      throw e;
    }
  }

  private Result run(
      Session session, Request request, TokenListener listener, AtomicBoolean cancelled) {
    int[] prompt = request.prompt();
    long start = System.nanoTime();
    int reused = session.resume(prompt);
    while (session.length() < prompt.length && !cancelled.get()) {
      int from = session.length();
      int count = Math.min(prompt.length - from, model.backend().prefillTokens(from));
      session.prefill(Arrays.copyOfRange(prompt, from, from + count));
    }
    int readTokens = session.length() - reused;
    // Prompt and reply fill the context together.
    int limit = (int) Math.min(request.maxTokens(), session.capacity() - prompt.length);
    Result.End end = limit < request.maxTokens() ? Result.End.CONTEXT : Result.End.MAX_TOKENS;
    if (session.length() < prompt.length) {
      end = Result.End.CANCELLED;
    }
    long read = System.nanoTime();
    int[] tokens = new int[64];
    int count = 0;
    try (Decoder decoder = new Decoder(model.backend(), session, sampler(request))) {
      while (count < limit) {
        if (cancelled.get()) {
          end = Result.End.CANCELLED;
          break;
        }
        int id = decoder.next(count + 1 < limit);
        if (count == 0) {
          read = System.nanoTime();
        }
        if (contains(request.stopIds(), id)) {
          end = Result.End.STOP_ID;
          break;
        }
        if (count == tokens.length) {
          tokens = Arrays.copyOf(tokens, 2 * count);
        }
        tokens[count++] = id;
        if (!listener.accept(id)) {
          end = Result.End.STOPPED;
          break;
        }
      }
    }
    return new Result(
        Arrays.copyOf(tokens, count),
        end,
        prompt.length,
        reused,
        readTokens,
        read - start,
        System.nanoTime() - read);
  }

  private Sampler sampler(Request request) {
    return new Sampler(
        model.backend(),
        model.vocabularySize(),
        request.sampling(),
        request.penalties(),
        request.prompt());
  }

  private void check(Request request, long capacity) {
    int[] prompt = request.prompt();
    if (prompt.length == 0) {
      throw new QnextException("the prompt is empty");
    }
    for (int id : prompt) {
      if (id < 0 || id >= model.vocabularySize()) {
        throw new QnextException(
            "token id %d is outside the model's vocabulary of %d"
                .formatted(id, model.vocabularySize()));
      }
    }
    for (int id : request.penalties().bias().keySet()) {
      if (id < 0 || id >= model.vocabularySize()) {
        throw new QnextException(
            "a logit bias is given for token id %d, which is outside the model's vocabulary of %d"
                .formatted(id, model.vocabularySize()));
      }
    }
    if (prompt.length >= capacity) {
      throw new QnextException(
          "the prompt has %,d tokens, but the context holds %,d including the answer; shorten the prompt or start a new conversation"
              .formatted(prompt.length, capacity));
    }
  }

  private static boolean contains(int[] ids, int id) {
    for (int candidate : ids) {
      if (candidate == id) {
        return true;
      }
    }
    return false;
  }
}
