package dev.qnext.cli;

import dev.qnext.Conversation;
import dev.qnext.Engine;
import dev.qnext.Generation;
import dev.qnext.QnextException;
import dev.qnext.Reply;
import dev.qnext.generate.Request;
import dev.qnext.generate.Result;
import dev.qnext.generate.Session;
import dev.qnext.generate.TokenListener;
import dev.qnext.text.ReplyPart;
import dev.qnext.text.ReplySplitter;
import dev.qnext.text.TextStream;
import dev.qnext.text.Tokenizer;
import dev.qnext.text.ToolCall;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Answers the last message of a conversation, piece by piece, and adds the whole to it. */
final class Answer {
  /** Replies in a row that call tools. */
  private static final int MOST_ROUNDS = 50;

  /** How a thought ends that the model did not end by itself. */
  private static final String END_OF_THOUGHT = "\n</think>\n\n";

  private final Engine engine;
  private final Tokenizer tokenizer;
  private final Session session;
  private final Conversation conversation;
  private final SamplingOptions sampling;
  private final ThinkOptions thinking;
  private final @Nullable ToolCommand toolCommand;
  private volatile @Nullable Generation running;
  private @Nullable Request request;

  Answer(
      Engine engine,
      Session session,
      Conversation conversation,
      SamplingOptions sampling,
      ThinkOptions thinking,
      @Nullable ToolCommand toolCommand) {
    this.engine = engine;
    this.session = session;
    this.tokenizer = conversation.tokenizer();
    this.conversation = conversation;
    this.sampling = sampling;
    this.thinking = thinking;
    this.toolCommand = toolCommand;
  }

  /**
   * The reply, and if it calls tools and there is a command for them, their results and the next
   * reply, until one calls none. Returns the last.
   *
   * @param ask puts a question to the user and returns the answer; null to run tools without asking
   */
  Reply giveAll(ReplyView view, @Nullable UnaryOperator<String> ask) throws InterruptedException {
    for (int round = 0; round < MOST_ROUNDS; round++) {
      Reply reply = give(view);
      if (reply.calls().isEmpty()
          || toolCommand == null
          || reply.result().end() == Result.End.CANCELLED) {
        return reply;
      }
      for (ToolCall call : reply.calls()) {
        String result = toolCommand.run(call, ask);
        conversation.toolResult(call.name(), result);
        view.result(call, result);
      }
    }
    throw new QnextException(
        "the model called tools %d times in a row without an answer".formatted(MOST_ROUNDS));
  }

  /** One reply, shown while it comes. */
  Reply give(ReplyView view) throws InterruptedException {
    String promptText = conversation.promptText();
    boolean thinks = Conversation.opensThought(promptText);
    int[] prompt = conversation.prompt(promptText);
    Request asked = sampling.request(prompt, engine.checkpoint(), Integer.MAX_VALUE);
    request = asked;
    Parts parts = new Parts(view, new ReplySplitter(thinks, !conversation.tools().isEmpty()));
    int budget = thinks ? Math.min(thinking.budget(), asked.maxTokens()) : Integer.MAX_VALUE;
    Result result;
    if (budget < asked.maxTokens()) {
      ThoughtLimit limit = new ThoughtLimit(budget);
      result = generate(budget == 0 ? asked.with(prompt, 0) : asked, parts, limit);
      if (limit.reached && result.end() != Result.End.CANCELLED) {
        parts.accept(END_OF_THOUGHT);
        int[] end = tokenizer.encode(END_OF_THOUGHT);
        int[] begun = joined(prompt, joined(result.tokens(), end));
        Request rest = asked.with(begun, asked.maxTokens() - result.tokens().length);
        result = result.followedBy(end, generate(rest, parts, id -> true));
      }
    } else {
      result = generate(asked, parts, id -> true);
    }
    Reply reply = parts.reply(result);
    conversation.assistant(prompt, reply);
    view.end(reply, asked);
    return reply;
  }

  private Result generate(Request request, Parts parts, TokenListener listener)
      throws InterruptedException {
    TextStream text = new TextStream(tokenizer, sampling.stop());
    Generation generation = engine.generate(session, request, text, listener);
    running = generation;
    try {
      for (Generation.Token token; (token = generation.next()) != null; ) {
        parts.accept(token.text());
      }
    } finally {
      generation.cancel();
      running = null;
    }
    return generation.result();
  }

  /** What the last reply was asked for. */
  Request request() {
    return java.util.Objects.requireNonNull(request);
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

  private static int[] joined(int[] a, int[] b) {
    int[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }

  /** Ends a reply that still thinks after so many tokens. */
  private final class ThoughtLimit implements TokenListener {
    private final int endOfThought;
    private int left;
    private volatile boolean reached;

    ThoughtLimit(int tokens) {
      OptionalInt id = tokenizer.id("</think>");
      if (id.isEmpty()) {
        throw new QnextException(
            "--think-budget cannot be kept: the model's tokenizer has no token </think>");
      }
      endOfThought = id.getAsInt();
      left = tokens;
      reached = tokens == 0;
    }

    @Override
    public boolean accept(int id) {
      if (id == endOfThought) {
        left = Integer.MAX_VALUE;
      }
      reached = --left <= 0;
      return !reached;
    }
  }

  /** What has come of a reply, on its way to the view. */
  private final class Parts {
    private final ReplyView view;
    private final ReplySplitter splitter;
    private final StringBuilder thought = new StringBuilder();
    private final StringBuilder text = new StringBuilder();
    private final List<ToolCall> calls = new ArrayList<>();

    Parts(ReplyView view, ReplySplitter splitter) {
      this.view = view;
      this.splitter = splitter;
    }

    void accept(String piece) {
      splitter.accept(piece).forEach(this::show);
    }

    private void show(ReplyPart part) {
      switch (part.kind()) {
        case THOUGHT -> {
          thought.append(part.text());
          view.thought(part.text());
        }
        case ANSWER -> answer(part.text());
        case CALL -> {
          ToolCall call = ToolCall.parse(part.text(), conversation.tools());
          if (call == null) {
            answer("<tool_call>\n" + part.text() + "\n</tool_call>");
          } else {
            calls.add(call);
            view.call(call);
          }
        }
      }
    }

    private void answer(String piece) {
      text.append(piece);
      view.text(piece);
    }

    Reply reply(Result result) {
      splitter.finish().forEach(this::show);
      return new Reply(thought.toString(), text.toString(), List.copyOf(calls), result);
    }
  }
}
