package dev.qnext.backend.reference;

import dev.qnext.backend.AddNorm;
import dev.qnext.backend.Backend;
import dev.qnext.backend.State;
import dev.qnext.backend.Tensor;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The reference with something put in the way of its methods, and of those of its states. */
public final class AlteredBackend {
  private AlteredBackend() {}

  /** A call of {@link Backend} or {@link State} on its way to the reference. */
  @FunctionalInterface
  public interface Alteration {
    /**
     * Answers in place of the reference, mostly by way of it.
     *
     * @param call the method's name; those of a state are "State.fork" and so on
     */
    @Nullable Object answer(String call, @Nullable Object[] arguments, Original original)
        throws Throwable;
  }

  /** Calls the reference with these arguments. */
  @FunctionalInterface
  public interface Original {
    @Nullable Object call(@Nullable Object... arguments) throws Throwable;
  }

  public static Backend of(Alteration alteration) {
    ReferenceBackend reference = new ReferenceBackend();
    return proxy(Backend.class, "", reference, alteration);
  }

  /** Changes what one method gives back. */
  public static Backend returning(String call, UnaryOperator<Object> change) {
    return of((name, arguments, original) -> {
      Object result = original.call(arguments);
      return name.equals(call) ? change.apply(result) : result;
    });
  }

  private static <T> T proxy(Class<T> type, String prefix, T target, Alteration alteration) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(), new Class<?>[] {type}, new Layer(prefix, target, alteration)));
  }

  private record Layer(String prefix, Object target, Alteration alteration)
      implements InvocationHandler {
    @Override
    public @Nullable Object invoke(Object self, Method method, @Nullable Object[] given)
        throws Throwable {
      @Nullable Object[] arguments = given == null ? new Object[0] : given.clone();
      Object result =
          alteration.answer(prefix + method.getName(), arguments, real -> call(method, real));
      return result instanceof State state && !Proxy.isProxyClass(state.getClass())
          ? proxy(State.class, "State.", state, alteration)
          : result;
    }

    private @Nullable Object call(Method method, @Nullable Object[] arguments) throws Throwable {
      for (int i = 0; i < arguments.length; i++) {
        if (arguments[i] instanceof State state && Proxy.isProxyClass(state.getClass())) {
          arguments[i] = ((Layer) Proxy.getInvocationHandler(state)).target;
        }
      }
      try {
        return method.invoke(target, arguments);
      } catch (InvocationTargetException e) {
        throw e.getCause();
      }
    }
  }

  /** A copy of a tensor of numbers with every one changed; of token ids, with their float. */
  public static Tensor map(Object tensor, Change change) {
    if (tensor instanceof Tokens tokens) {
      int[] ids = tokens.ids().clone();
      for (int i = 0; i < ids.length; i++) {
        ids[i] = (int) change.of(i, 0, ids[i]);
      }
      return new Tokens(ids);
    }
    Floats floats = (Floats) tensor;
    float[] values = floats.values().clone();
    for (int i = 0; i < values.length; i++) {
      values[i] = change.of(i / floats.columns(), i % floats.columns(), values[i]);
    }
    return new Floats(floats.rows(), floats.columns(), values);
  }

  /** What becomes of one number. */
  @FunctionalInterface
  public interface Change {
    float of(int row, int column, float value);
  }

  /** Every tensor that an operation gives, rounded to bf16: a backend with half activations. */
  public static @Nullable Object rounded(@Nullable Object result) {
    return switch (result) {
      case Floats floats ->
          map(floats, (row, column, value) -> dev.qnext.fixtures.RawTensor.toBf16(value));
      case AddNorm(Tensor residual, Tensor normed) ->
          new AddNorm((Tensor) rounded(residual), (Tensor) rounded(normed));
      case null, default -> result;
    };
  }
}
