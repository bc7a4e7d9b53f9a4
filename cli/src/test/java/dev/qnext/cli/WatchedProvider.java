package dev.qnext.cli;

import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Weights;
import dev.qnext.backend.reference.ReferenceBackend;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/**
 * The reference backend. With {@code -Dwatched.OPERATION=MILLISECONDS} the operation is slow, and
 * that is told on standard error, as is when backend and weights are closed. Not of the first that
 * is opened, which is for the self-test. With {@code -Dwatched.native=true} it is one that must not
 * be cut off in a pass.
 */
public final class WatchedProvider implements BackendProvider {
  private static int opened;

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
    boolean asked =
        System.getProperties().stringPropertyNames().stream()
            .anyMatch(name -> name.startsWith("watched."));
    return watched(Backend.class, new ReferenceBackend(), asked && opened++ > 0);
  }

  private static <T> T watched(Class<T> face, T object, boolean telling) {
    return face.cast(
        Proxy.newProxyInstance(
            WatchedProvider.class.getClassLoader(),
            new Class<?>[] {face},
            (proxy, method, arguments) -> {
              String name = method.getName();
              if (name.equals("mayBeCutOff")) {
                return !Boolean.getBoolean("watched.native");
              }
              long pause = Long.getLong("watched." + name, 0);
              if (telling && (pause > 0 || name.equals("close"))) {
                System.err.printf(
                    "%s.%s on %s%n", face.getSimpleName(), name, Thread.currentThread().getName());
                Thread.sleep(pause);
              }
              try {
                Object result = method.invoke(object, arguments);
                return result instanceof Weights weights
                    ? watched(Weights.class, weights, telling)
                    : result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            }));
  }
}
