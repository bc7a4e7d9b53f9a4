package dev.qnext.cli;

import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Tensor;
import dev.qnext.backend.reference.ReferenceBackend;
import dev.qnext.fixtures.TextFolder;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The reference backend with words put into its mouth, for models of {@link TextFolder}: {@code
 * -Dscripted.text=...}, byte by byte; {@code </think>} is one token, and {@code |} ends a reply.
 */
public final class ScriptedProvider implements BackendProvider {
  static final String TEXT = "scripted.text";

  private static final String END_OF_THOUGHT = "</think>";

  @Override
  public String name() {
    return "scripted";
  }

  @Override
  public int rank() {
    return -2;
  }

  @Override
  public Backend open() {
    String text = System.getProperty(TEXT);
    ReferenceBackend backend = new ReferenceBackend();
    return text == null ? backend : saying(script(text), backend);
  }

  private static Deque<Integer> script(String text) {
    Deque<Integer> ids = new ArrayDeque<>();
    for (int i = 0; i < text.length(); i++) {
      if (text.startsWith(END_OF_THOUGHT, i)) {
        ids.add(508);
        i += END_OF_THOUGHT.length() - 1;
      } else if (text.charAt(i) == '|') {
        ids.add(TextFolder.IM_END);
      } else {
        for (byte b : text.substring(i, i + 1).getBytes(StandardCharsets.UTF_8)) {
          ids.add(Byte.toUnsignedInt(b));
        }
      }
    }
    return ids;
  }

  private static Backend saying(Deque<Integer> ids, Backend backend) {
    return (Backend)
        Proxy.newProxyInstance(
            ScriptedProvider.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("sample") && ((Tensor) arguments[0]).rows() == 1) {
                Integer id = ids.poll();
                return backend.tokens(new int[] {id == null ? TextFolder.IM_END : id});
              }
              try {
                return method.invoke(backend, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
