package dev.qnext.mlx;

import dev.qnext.backend.Backend;
import dev.qnext.backend.Tensor;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.mlx.face.MlxType;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/** MLX's backend with one operation that fails when it is told to. */
public final class Sabotage {
  /** Ways in which an operation can fail. */
  public enum Way {
    /** In Java, before MLX is asked. */
    JAVA,
    /** MLX refuses to build the graph. */
    SHAPE,
    /** The graph is built, and computing it fails. */
    EVAL,
    /** Numbers come out that are none. */
    NAN
  }

  private final Mlx mlx;
  private final MlxBackend real;
  private String operation = "";
  private Way way = Way.JAVA;
  private int calls;

  /** Opens MLX for the calling thread. */
  public Sabotage() {
    MlxLibrary.load();
    mlx = new Mlx(MlxDevice.CPU);
    real = new MlxBackend(mlx);
  }

  public Backend backend() {
    InvocationHandler handler =
        (proxy, method, args) -> {
          boolean now = method.getName().equals(operation) && --calls == 0;
          if (now && way == Way.JAVA) {
            throw new IllegalStateException("sabotage");
          }
          try {
            Object result = method.invoke(real, args);
            return now ? spoiled((MlxTensor) result) : result;
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        };
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, handler);
  }

  /** The so many-th call of an operation from now on fails. */
  public void fail(String newOperation, int call, Way newWay) {
    operation = newOperation;
    calls = call;
    way = newWay;
  }

  private Tensor spoiled(MlxTensor tensor) {
    MlxArray array = tensor.array();
    MlxArray wrong =
        switch (way) {
          case SHAPE -> mlx.zeros(MlxType.FLOAT32, tensor.rows(), tensor.columns() + 1);
          case EVAL -> notComputable();
          case NAN -> mlx.array(new float[] {Float.NaN}, 1, 1);
          case JAVA -> throw new IllegalStateException();
        };
    return new MlxTensor(mlx.add(array, wrong), tensor.rows(), tensor.columns());
  }

  /** MLX's CPU device finds out when it computes that it cannot do this in bf16. */
  private MlxArray notComputable() {
    MlxArray matrix = mlx.zeros(MlxType.BFLOAT16, 1, 1, 1);
    MlxArray product = mlx.gatherMm(matrix, matrix, null, mlx.zeros(MlxType.UINT32, 1), false);
    return mlx.reshape(mlx.asType(product, MlxType.FLOAT32), 1, 1);
  }
}
