package dev.qnext.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Sampling;
import dev.qnext.backend.State;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.fixtures.Golden;
import dev.qnext.generate.Result.End;
import dev.qnext.model.LanguageModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A real model, once with every step built behind the token before it and once ahead of it: tokens,
 * ids and saved states are the same, however a reply ends.
 */
class DeferredReferenceTest {
  private static final Sampling WARM = new Sampling(0.9f, 0, 1, 0, 11);

  private record Outcome(List<Integer> heard, int[] tokens, End end, int[] ids, byte[] state) {}

  /** The reference that says it is deferred, and keeps the states that it makes. */
  private static Backend backend(boolean deferred, List<State> states) {
    ReferenceBackend reference = new ReferenceBackend();
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("deferred")) {
                return deferred;
              }
              try {
                Object result = method.invoke(reference, arguments);
                if (result instanceof State state) {
                  states.add(state);
                }
                return result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  /** Two replies in one session, the first of which ends this way. */
  private static List<Outcome> talk(boolean deferred, End end) throws IOException {
    List<State> states = new ArrayList<>();
    List<Outcome> outcomes = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(Golden.path("tiny/hf"));
        LanguageModel model = LanguageModel.load(checkpoint, backend(deferred, states));
        Session session = new Session(model, end == End.CONTEXT ? 42 : 200)) {
      int[] prompt = new Random(3).ints(30, 0, model.vocabularySize()).toArray();
      int[] stopIds = end == End.STOP_ID ? new int[] {first(model, prompt, 8)} : new int[0];
      int max = end == End.MAX_TOKENS ? 12 : 100;
      Request request = new Request(prompt, max, stopIds, WARM, Penalties.NONE);
      outcomes.add(reply(model, session, request, end, states.getFirst()));
      assertThat(outcomes.getFirst().end).isEqualTo(end);
      if (end != End.CONTEXT) {
        int[] longer = Replies.joined(Replies.joined(prompt, outcomes.getFirst().tokens), 5, 6, 7);
        request = new Request(longer, 9, new int[0], WARM, Penalties.NONE);
        outcomes.add(reply(model, session, request, End.MAX_TOKENS, states.getFirst()));
        assertThat(outcomes.getLast().tokens).hasSize(9);
      }
    }
    return outcomes;
  }

  private static Outcome reply(
      LanguageModel model, Session session, Request request, End end, State state)
      throws IOException {
    AtomicBoolean cancelled = new AtomicBoolean();
    List<Integer> heard = new ArrayList<>();
    Result result =
        new Generator(model)
            .generate(
                session,
                request,
                id -> {
                  heard.add(id);
                  cancelled.set(end == End.CANCELLED && heard.size() == 7);
                  return end != End.STOPPED || heard.size() < 7;
                },
                cancelled);
    ByteArrayOutputStream saved = new ByteArrayOutputStream();
    state.save(saved);
    return new Outcome(heard, result.tokens(), result.end(), session.ids(), saved.toByteArray());
  }

  /** The token that such a reply has at this place and not before. */
  private static int first(LanguageModel model, int[] prompt, int at) {
    try (Session session = new Session(model, 200)) {
      Request request = new Request(prompt, at + 1, new int[0], WARM, Penalties.NONE);
      Result result =
          new Generator(model).generate(session, request, id -> true, new AtomicBoolean());
      int token = result.tokens()[at];
      assertThat(Arrays.copyOf(result.tokens(), at)).doesNotContain(token);
      return token;
    }
  }

  @ParameterizedTest
  @EnumSource(End.class)
  void changesNothing(End end) throws IOException {
    List<Outcome> eager = talk(false, end);
    assertThat(talk(true, end)).usingRecursiveComparison().isEqualTo(eager);
    assertThat(eager.getFirst().heard).hasSizeGreaterThan(5);
  }
}
