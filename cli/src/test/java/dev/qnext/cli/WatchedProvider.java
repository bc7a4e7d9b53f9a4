package dev.qnext.cli;

import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Weights;
import dev.qnext.backend.reference.ReferenceBackend;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/**
 * The reference backend, telling on standard error when it and its weights are closed. {@code
 * -Dwatched.OPERATION=MILLISECONDS} makes an operation slow and has it told too.
 */
public final class WatchedProvider implements BackendProvider {
  @Override
  public String name() {
    return "watched";
  }

  @Override
  public int rank() {
    return -1;
  }

  @Override
  public Backend open() {
    return watched(Backend.class, new ReferenceBackend());
  }

  private static <T> T watched(Class<T> face, T object) {
    return face.cast(
        Proxy.newProxyInstance(
            WatchedProvider.class.getClassLoader(),
            new Class<?>[] {face},
            (proxy, method, arguments) -> {
              String name = method.getName();
              long pause = Long.getLong("watched." + name, 0);
              if (pause > 0 || name.equals("close")) {
                System.err.printf(
                    "%s.%s on %s%n", face.getSimpleName(), name, Thread.currentThread().getName());
                Thread.sleep(pause);
              }
              try {
                Object result = method.invoke(object, arguments);
                return result instanceof Weights weights ? watched(Weights.class, weights) : result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            }));
  }
}
