package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxFunction;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.mlx.face.MlxType;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** The dry GPU counts what MLX's Metal sources say; the numbers were read there, not measured. */
class DryGpuTest {
  @Test
  void countsWhatMetalWouldLaunch() throws Exception {
    assertThat(DryGpu.run(Expressions.class).lines())
        .containsExactly(
            "views: 0",
            "an element-wise operation: 1",
            "a compiled chain: 1",
            "three parts joined: 3",
            "reshape of a transposed array: 1",
            "update of a held buffer: 2",
            "update of a buffer just made: 2",
            "norm of whole rows: 1",
            "norm of parts of rows: 2",
            "rope of part of a held head: 2",
            "rope of part of a head just made: 2",
            "one query, 300 keys: 1",
            "one query, 1024 keys: 2",
            "nine queries, head of 128: 1",
            "sort of 2048: 1",
            "sort of 151936: 16",
            "matrix by matrix: 1",
            "matrix by matrix, long sums: 2",
            "matrix with holes by matrix: 3");
  }

  /** Prints the launches of expressions. */
  static final class Expressions {
    private final Mlx mlx;

    private Expressions(Mlx mlx) {
      this.mlx = mlx;
    }

    public static void main(String[] arguments) throws Throwable {
      MlxLibrary.load();
      try (Mlx mlx = new Mlx(MlxDevice.GPU)) {
        new Expressions(mlx).print();
      }
    }

    private void print() throws Throwable {
      MlxArray x = held(2, 3, 256);
      MlxArray row = held(2, 1, 256);
      MlxArray head = held(1, 16, 1, 256);
      MlxArray periods = held(32);
      MlxFunction chain =
          mlx.compile(in -> new MlxArray[] {mlx.multiply(mlx.sigmoid(in[0]), in[0])});

      count("views", () -> mlx.slice(mlx.transpose(mlx.reshape(x, 6, 256), 1, 0), 0, 1, 3));
      count("an element-wise operation", () -> mlx.add(x, row));
      count("a compiled chain", () -> chain.apply(x)[0]);
      count("three parts joined", () -> mlx.concatenate(1, x, row, x));
      count("reshape of a transposed array", () -> mlx.reshape(mlx.transpose(x, 1, 0, 2), -1));
      count("update of a held buffer", () -> mlx.sliceUpdate(x, row, 1, 1));
      // Making it is one launch.
      count(
          "update of a buffer just made",
          () -> {
            try (MlxArray fresh = mlx.add(x, row)) {
              return mlx.sliceUpdate(fresh, row, 1, 1);
            }
          });
      count("norm of whole rows", () -> mlx.rmsNorm(x, null, 1e-6f));
      count("norm of parts of rows", () -> mlx.rmsNorm(mlx.slice(x, 2, 0, 128), null, 1e-6f));
      count("rope of part of a held head", () -> mlx.rope(head, 64, 5, periods));
      count(
          "rope of part of a head just made",
          () -> {
            try (MlxArray fresh = mlx.negative(head)) {
              return mlx.rope(fresh, 64, 5, periods);
            }
          });
      count("one query, 300 keys", attention(1, 300, 256));
      count("one query, 1024 keys", attention(1, 1024, 256));
      count("nine queries, head of 128", attention(9, 300, 128));
      count("sort of 2048", sort(2048));
      count("sort of 151936", sort(151_936));
      MlxArray a = held(20, 256);
      MlxArray b = held(256, 512);
      MlxArray longA = held(20, 1024);
      MlxArray longB = held(1024, 512);
      MlxArray everyOther = mlx.reshape(mlx.slice(held(20, 1024, 2), 2, 0, 1), 20, 1024);
      count("matrix by matrix", () -> mlx.matmul(a, b));
      count("matrix by matrix, long sums", () -> mlx.matmul(longA, longB));
      count("matrix with holes by matrix", () -> mlx.matmul(everyOther, longB));
    }

    private void count(String name, Supplier<MlxArray> expression) throws Throwable {
      System.out.println(
          name + ": " + DryGpu.launches(DryGpu.count(() -> mlx.eval(expression.get()))));
    }

    private Supplier<MlxArray> attention(int queries, int keys, int size) {
      MlxArray k = held(1, 2, keys, size);
      MlxArray q = held(1, 16, queries, size);
      return () -> mlx.attention(q, k, k, 1, Mlx.Mask.CAUSAL, false);
    }

    private Supplier<MlxArray> sort(int n) {
      MlxArray row = held(1, n);
      return () -> mlx.argSort(row, 1);
    }

    /** Computed, and held by this program. */
    private MlxArray held(int... shape) {
      MlxArray array = mlx.zeros(MlxType.FLOAT32, shape);
      mlx.eval(array);
      return array;
    }
  }
}
