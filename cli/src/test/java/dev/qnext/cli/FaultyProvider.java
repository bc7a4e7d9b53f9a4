package dev.qnext.cli;

import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Check;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.reference.ReferenceBackend;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;

/** The reference with one wrong operation, before all others. Not registered but by a test. */
public final class FaultyProvider implements BackendProvider {
  @Override
  public String name() {
    return "faulty";
  }

  @Override
  public int rank() {
    return 1000;
  }

  @Override
  public Backend open() {
    ReferenceBackend reference = new ReferenceBackend();
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (self, method, arguments) -> {
              if (method.getName().equals("name")) {
                return name();
              }
              try {
                Object result = method.invoke(reference, arguments);
                return method.getName().equals("swiglu")
                    ? reference.swiglu((Tensor) result, (Tensor) result)
                    : result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  @Override
  public List<Check> checks() {
    return List.of(Check.warn("device", "made up by a test", "take another"));
  }
}
