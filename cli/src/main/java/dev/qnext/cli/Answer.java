package dev.qnext.cli;

import dev.qnext.Conversation;
import dev.qnext.Engine;
import dev.qnext.Generation;
import dev.qnext.generate.Request;
import dev.qnext.generate.Result;
import dev.qnext.generate.Session;
import dev.qnext.text.TextStream;
import dev.qnext.text.Tokenizer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Answers the last message of a conversation, piece by piece. */
final class Answer {
  private final Engine engine;
  private final Session session;
  private final Tokenizer tokenizer;
  private final Conversation conversation;
  private final SamplingOptions sampling;
  private volatile @Nullable Generation running;
  private @Nullable Result result;
  private @Nullable Request request;

  Answer(
      Engine engine,
      Session session,
      Tokenizer tokenizer,
      Conversation conversation,
      SamplingOptions sampling) {
    this.engine = engine;
    this.session = session;
    this.tokenizer = tokenizer;
    this.conversation = conversation;
    this.sampling = sampling;
  }

  /** Generates, hands each piece of text on, and adds the whole to the conversation. */
  void give(Consumer<String> pieces) throws InterruptedException {
    int[] prompt = conversation.prompt();
    Request asked = sampling.request(prompt, engine.checkpoint(), Integer.MAX_VALUE);
    request = asked;
    Generation generation =
        engine.generate(session, asked, new TextStream(tokenizer, sampling.stop()));
    running = generation;
    StringBuilder text = new StringBuilder();
    try {
      for (Generation.Token token; (token = generation.next()) != null; ) {
        text.append(token.text());
        pieces.accept(token.text());
      }
    } finally {
      generation.cancel();
      running = null;
    }
    result = generation.result();
    conversation.assistant(prompt, text.toString(), generation.result());
  }

  /** Stops the answer that is being given; false if there is none. Any thread. */
  boolean stop() {
    Generation generation = running;
    if (generation == null) {
      return false;
    }
    generation.cancel();
    return true;
  }

  /** How the last answer ended. */
  Result result() {
    return java.util.Objects.requireNonNull(result);
  }

  Request request() {
    return java.util.Objects.requireNonNull(request);
  }
}
