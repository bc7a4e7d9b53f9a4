package dev.qnext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.qnext.backend.Sampling;
import dev.qnext.fixtures.Golden;
import dev.qnext.generate.Generator;
import dev.qnext.generate.Penalties;
import dev.qnext.generate.Request;
import dev.qnext.generate.Result;
import dev.qnext.generate.Result.End;
import dev.qnext.generate.Session;
import dev.qnext.mock.MockModel;
import dev.qnext.text.ChatTemplate;
import dev.qnext.text.TextStream;
import dev.qnext.text.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** Every prompt is what the template says, and begins with what the session has read. */
@ParameterizedClass
@ValueSource(booleans = {false, true})
class ConversationTest {
  private static final Tokenizer TOKENIZER =
      Tokenizer.load(Golden.path("tokenizer/small_tokenizer.json"));
  private static final int IM_END = TOKENIZER.id("<|im_end|>").orElseThrow();
  private static final String CHAT_ML =
      """
      {%- for m in messages -%}
      {{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
      {%- endfor -%}
      {{ '<|im_start|>assistant\\n' if add_generation_prompt else '' }}\
      """;

  /** Leaves thoughts out of all but the last turn, as Qwen's thinking models do. */
  private static final String FORGETFUL =
      CHAT_ML.replace("m.content +", "m.content.split('</think>')[-1] +");

  private final MockModel model = new MockModel(TOKENIZER.size());
  private final Session session = new Session(model, 1 << 16);
  private Conversation conversation =
      new Conversation(TOKENIZER, ChatTemplate.parse(CHAT_ML, "chat_ml"));

  ConversationTest(boolean deferred) {
    model.backend().deferred = deferred;
  }

  /** How a turn is cut short. */
  private record Limits(int maxTokens, List<String> stops, int cancelAfter) {
    static final Limits NONE = new Limits(1000, List.of(), 1000);
  }

  private Result turn(String question, String answer, Limits limits) {
    return turn(question, TOKENIZER.encode(answer), limits);
  }

  private Result turn(String question, int... answer) {
    return turn(question, answer, Limits.NONE);
  }

  /** Asks, and lets the model answer just so; the prompt is checked. */
  private Result turn(String question, int[] answer, Limits limits) {
    int[] read = session.ids();
    conversation.user(question);
    int[] prompt = conversation.prompt();
    assertThat(TOKENIZER.decode(prompt)).isEqualTo(conversation.promptText());
    model.backend().says =
        (position, drawn) ->
            position < prompt.length + answer.length ? answer[position - prompt.length] : IM_END;
    Generation generation = new Generation(new TextStream(TOKENIZER, limits.stops), id -> true);
    int[] stopIds = {IM_END};
    Request request =
        new Request(prompt, limits.maxTokens, stopIds, Sampling.GREEDY, Penalties.NONE);
    if (limits.cancelAfter == 0) {
      generation.cancel();
    }
    Thread thread =
        Thread.ofPlatform().start(() -> generation.run(new Generator(model), session, request));
    StringBuilder text = new StringBuilder();
    try {
      int count = 0;
      for (Generation.Token token; (token = generation.next()) != null; ) {
        text.append(token.text());
        if (++count == limits.cancelAfter) {
          generation.cancel();
        }
      }
      thread.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    Result result = generation.result();
    assertThat(result.promptTokens()).isEqualTo(prompt.length);
    assertThat(result.reusedTokens()).isIn(0, read.length);
    conversation.assistant(prompt, new Reply("", text.toString(), List.of(), result));
    return result;
  }

  private String lastAnswer() {
    return String.valueOf(conversation.messages().getLast().get("content"));
  }

  private static boolean begins(int[] ids, int[] with) {
    return with.length <= ids.length && Arrays.equals(Arrays.copyOf(ids, with.length), with);
  }

  @Test
  void theNextPromptBeginsWithWhatTheSessionHasRead() {
    conversation.system("Answer briefly.");
    int[] answer = TOKENIZER.encode("Only the harbour, the lighthouse and the wind.");
    Result first = turn("What is there?", answer);
    assertThat(first.end()).isEqualTo(End.STOP_ID);
    assertThat(lastAnswer()).isEqualTo("Only the harbour, the lighthouse and the wind.");
    int[] read = session.ids();
    assertThat(read).hasSize(first.promptTokens() + answer.length);
    Result second = turn("And who?", TOKENIZER.encode("She."));
    assertThat(second.reusedTokens()).isEqualTo(read.length);
    assertThat(begins(session.ids(), read)).isTrue();
    assertThat(conversation.promptText())
        .isEqualTo(
            """
            <|im_start|>system
            Answer briefly.<|im_end|>
            <|im_start|>user
            What is there?<|im_end|>
            <|im_start|>assistant
            Only the harbour, the lighthouse and the wind.<|im_end|>
            <|im_start|>user
            And who?<|im_end|>
            <|im_start|>assistant
            She.<|im_end|>
            <|im_start|>assistant
            """);
  }

  /** A model may say "the" letter by letter; tokenized again, it would be one token. */
  @Test
  void generatedIdsAreKeptAsTheyWere() {
    int[] letters = {
      TOKENIZER.id("t").orElseThrow(),
      TOKENIZER.id("h").orElseThrow(),
      TOKENIZER.id("e").orElseThrow()
    };
    turn("Say it.", letters);
    int[] read = session.ids();
    conversation.user("Again.");
    assertThat(begins(conversation.prompt(), read)).isTrue();
    assertThat(conversation.prompt()).isNotEqualTo(TOKENIZER.encode(conversation.promptText()));
    assertThat(turn("And again.", letters).reusedTokens()).isEqualTo(read.length);
  }

  @Test
  void goesOnAfterAnAnswerCutByMaxTokens() {
    String answer = "The water lay flat and grey under a low sky.";
    int[] ids = TOKENIZER.encode(answer);
    for (int max = 1; max < ids.length; max++) {
      Result result = turn("Go on.", answer, new Limits(max, List.of(), 1000));
      assertThat(result.end()).isEqualTo(End.MAX_TOKENS);
      assertThat(lastAnswer()).isEqualTo(TOKENIZER.decode(Arrays.copyOf(ids, max)));
      // The last token was drawn and not read.
      int read = result.promptTokens() + max - 1;
      assertThat(session.ids()).hasSize(read);
      assertThat(turn("And?", TOKENIZER.encode("Yes.")).reusedTokens()).isEqualTo(read);
    }
  }

  @Test
  void goesOnAfterAnAnswerCutInsideACharacter() {
    String answer = "\ud83d\udea3\u4e9b";
    int[] ids = TOKENIZER.encode(answer);
    int cut = ids.length - 1;
    Result result = turn("Draw it.", answer, new Limits(cut, List.of(), 1000));
    assertThat(lastAnswer()).isEqualTo("\ud83d\udea3\ufffd");
    assertThat(turn("And?", TOKENIZER.encode("Yes.")).reusedTokens())
        .isEqualTo(result.promptTokens() + cut - 1);
  }

  @Test
  void goesOnAfterAnAnswerCutByAStopString() {
    String answer = "One harbour. Two boats. Three islands.";
    Result result = turn("Count.", answer, new Limits(1000, List.of("o boats"), 1000));
    assertThat(result.end()).isEqualTo(End.STOPPED);
    assertThat(lastAnswer()).isEqualTo("One harbour. Tw");
    conversation.user("And?");
    assertThat(conversation.promptText()).contains("assistant\nOne harbour. Tw<|im_end|>\n");
    // What was read has the stop string in it; recurrent state cannot be cut back.
    assertThat(conversation.prompt()).isEqualTo(TOKENIZER.encode(conversation.promptText()));
  }

  @Test
  void goesOnAfterACancelledAnswer() {
    String answer = "The water lay flat and grey under a low sky.";
    Result result = turn("Look.", answer, new Limits(1000, List.of(), 5));
    // The model may have been ahead of the reader.
    assertThat(result.end()).isIn(End.CANCELLED, End.STOP_ID);
    assertThat(answer).startsWith(lastAnswer());
    int read = session.ids().length;
    assertThat(turn("And?", TOKENIZER.encode("Yes.")).reusedTokens()).isEqualTo(read);
  }

  @Test
  void goesOnAfterAnAnswerCancelledBeforeItsFirstToken() {
    Result result = turn("Look.", "Never said.", new Limits(1000, List.of(), 0));
    assertThat(result.end()).isEqualTo(End.CANCELLED);
    assertThat(session.ids()).isEmpty();
    turn("And?", TOKENIZER.encode("Yes."));
    int read = session.ids().length;
    assertThat(turn("And?", TOKENIZER.encode("Yes.")).reusedTokens()).isEqualTo(read);
  }

  @Test
  void goesOnAfterAnEmptyAnswer() {
    Result result = turn("Say nothing.");
    assertThat(result.tokens()).isEmpty();
    assertThat(lastAnswer()).isEmpty();
    assertThat(turn("And?", TOKENIZER.encode("Yes.")).reusedTokens())
        .isEqualTo(result.promptTokens());
  }

  /** A special token is read by the model and not shown, so the template never says it again. */
  @Test
  void aSpecialTokenInTheAnswerIsTokenizedAway() {
    int special = TOKENIZER.id("<|object_ref_start|>").orElseThrow();
    int[] yes = TOKENIZER.encode("Yes");
    int[] answer = Arrays.copyOf(yes, yes.length + 1);
    answer[yes.length] = special;
    turn("Point.", answer);
    assertThat(lastAnswer()).isEqualTo("Yes");
    assertThat(session.ids()).contains(special);
    conversation.user("And?");
    assertThat(conversation.prompt())
        .isEqualTo(TOKENIZER.encode(conversation.promptText()))
        .doesNotContain(special);
  }

  @Test
  void anotherSystemMessageIsTokenizedAnew() {
    conversation.system("One.");
    turn("Hello.", TOKENIZER.encode("Yes."));
    conversation.system("Two.");
    conversation.user("And?");
    assertThat(conversation.prompt())
        .isEqualTo(TOKENIZER.encode(conversation.promptText()))
        .isNotEqualTo(session.ids());
    conversation.undo();
    assertThat(turn("And now?", TOKENIZER.encode("Yes.")).reusedTokens()).isZero();
    int read = session.ids().length;
    assertThat(turn("And then?", TOKENIZER.encode("Yes.")).reusedTokens()).isEqualTo(read);
  }

  @Test
  void aTemplateThatRewritesEarlierTurnsIsFollowed() {
    ChatTemplate forgetful = ChatTemplate.parse(FORGETFUL, "forgetful");
    assumeTrue(
        forgetful.render(Map.of("messages", List.of())).isEmpty()
            && !forgetful
                .render(Map.of("messages", List.of(), "add_generation_prompt", true))
                .isEmpty(),
        "the template engine is a stand-in");
    conversation = new Conversation(TOKENIZER, forgetful);
    turn("Hello.", TOKENIZER.encode("Hm, hello?</think>Hello."));
    assertThat(lastAnswer()).isEqualTo("Hm, hello?</think>Hello.");
    conversation.user("And?");
    assertThat(conversation.promptText()).doesNotContain("Hm,");
    assertThat(conversation.prompt()).isEqualTo(TOKENIZER.encode(conversation.promptText()));
    conversation.undo();
    assertThat(turn("And now?", TOKENIZER.encode("Yes.")).reusedTokens()).isZero();
  }

  @Test
  void undoTakesBackAQuestionAndWhatFollowed() {
    turn("Hello.", TOKENIZER.encode("Yes."));
    int read = session.ids().length;
    conversation.user("Wrong.");
    assertThat(conversation.undo()).isEqualTo("Wrong.");
    assertThat(conversation.messages()).hasSize(2);
    assertThat(turn("Right.", TOKENIZER.encode("Yes.")).reusedTokens()).isEqualTo(read);
    assertThat(conversation.promptText()).doesNotContain("Wrong.");
    assertThat(conversation.undo()).isEqualTo("Right.");
    assertThat(conversation.undo()).isEqualTo("Hello.");
    assertThat(conversation.undo()).isNull();
    assertThat(conversation.messages()).isEmpty();
  }

  @Test
  void clearKeepsTheSystemMessage() {
    conversation.system("Be brief.");
    turn("Hello.", TOKENIZER.encode("Yes."));
    conversation.clear();
    assertThat(conversation.messages()).hasSize(1);
    assertThat(conversation.system()).isEqualTo("Be brief.");
    conversation.user("Hello.");
    assertThat(conversation.prompt()).isEqualTo(TOKENIZER.encode(conversation.promptText()));
    assertThat(conversation.promptText()).doesNotContain("Yes.");
  }

  @Test
  void systemMessageIsSetReplacedAndRemoved() {
    assertThat(conversation.system()).isEmpty();
    conversation.user("Hello.");
    conversation.system("One.");
    conversation.system("Two.");
    assertThat(conversation.messages().stream().map(m -> m.get("content")))
        .containsExactly("Two.", "Hello.");
    assertThat(conversation.system()).isEqualTo("Two.");
    conversation.system("");
    assertThat(conversation.messages().stream().map(m -> m.get("role"))).containsExactly("user");
    assertThat(conversation.system()).isEmpty();
  }

  /** Answers of random ids: half characters, and whatever else a small model says. */
  @Test
  void longConversationsAreReadOnce() {
    Random random = new Random(60);
    int firstSpecial = TOKENIZER.id("<|endoftext|>").orElseThrow();
    int read = 0;
    for (int i = 0; i < 60; i++) {
      int[] answer = random.ints(random.nextInt(40), 0, firstSpecial).toArray();
      int max = 1 + random.nextInt(50);
      Result result = turn("Question %d?".formatted(i), answer, new Limits(max, List.of(), 1000));
      assertThat(result.reusedTokens()).isEqualTo(read);
      read = session.ids().length;
    }
    assertThat(read).isGreaterThan(1000);
  }
}
