package dev.qnext.mlx.face;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The typed face on MLX's CPU device. */
class MlxTest {
  private Mlx mlx;
  private long liveBefore;

  @BeforeEach
  void open() {
    try {
      MlxLibrary.load();
    } catch (MlxException e) {
      assumeTrue("1".equals(System.getenv("QNEXT_REQUIRE_MLX")), e.getMessage());
      throw e;
    }
    liveBefore = Mlx.liveArrays();
    mlx = new Mlx(MlxDevice.CPU);
  }

  @AfterEach
  void close() {
    if (mlx != null) {
      mlx.close();
      assertThat(Mlx.liveArrays()).isEqualTo(liveBefore);
    }
  }

  private float[] floats(MlxArray a) {
    float[] out = new float[(int) (mlx.bytes(a) / 4)];
    mlx.read(a, MemorySegment.ofArray(out));
    return out;
  }

  @Test
  void computes() {
    MlxArray a = mlx.array(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    MlxArray product = mlx.matmul(a, mlx.transpose(a, 1, 0));
    assertThat(floats(product)).containsExactly(14, 32, 32, 77);
    assertThat(floats(mlx.slice(a, 1, 1, 3))).containsExactly(2, 3, 5, 6);
    assertThat(floats(mlx.sliceUpdate(a, mlx.zeros(MlxType.FLOAT32, 2, 1), 1, 1)))
        .containsExactly(1, 0, 3, 4, 0, 6);
    assertThat(mlx.type(a)).isEqualTo(MlxType.FLOAT32);
    assertThat(mlx.dimension(product, 1)).isEqualTo(2);
  }

  /** Else a program that reads one result while the next is computed gains nothing by it. */
  @Test
  void readingDoesNotWaitForWhatWasStartedLater() {
    MlxArray first = mlx.add(mlx.array(new float[] {1, 2}, 2), mlx.zeros(MlxType.FLOAT32, 2));
    mlx.start(first);
    MlxArray later = mlx.zeros(MlxType.FLOAT32, 1024, 1024);
    for (int i = 0; i < 15; i++) {
      later = mlx.matmul(later, later);
    }
    mlx.start(later);
    assertThat(floats(first)).containsExactly(1, 2);
    assertThat(mlx.isComputed(first)).isTrue();
    assertThat(mlx.isComputed(later)).isFalse();
    mlx.synchronize();
    assertThat(mlx.isComputed(later)).isTrue();
  }

  @Test
  void tellsWhatMlxSays() {
    MlxArray a = mlx.zeros(MlxType.FLOAT32, 2, 3);
    assertThatThrownBy(() -> mlx.matmul(a, a))
        .isInstanceOf(MlxException.class)
        .hasMessageContaining("[matmul]")
        .hasMessageContaining("(2,3)")
        .hasMessageNotContaining(".cpp");
    assertThat(floats(mlx.sum(a, 1, false))).containsExactly(0, 0);
  }

  @Test
  void arenasFreeWhatWasNotKept() {
    long before = Mlx.liveArrays();
    MlxArray kept;
    MlxArray lost;
    try (MlxArena arena = mlx.arena()) {
      lost = mlx.zeros(MlxType.FLOAT32, 4);
      kept = mlx.keep(mlx.add(lost, lost));
    }
    assertThat(Mlx.liveArrays()).isEqualTo(before + 1);
    assertThat(floats(kept)).containsExactly(0, 0, 0, 0);
    assertThatThrownBy(() -> mlx.add(lost, lost)).isInstanceOf(IllegalStateException.class);
    kept.close();
    kept.close();
    assertThat(Mlx.liveArrays()).isEqualTo(before);
  }

  @Test
  void replaysTraces() {
    int[] traced = new int[1];
    MlxArray two = mlx.array(new float[] {2}, 1);
    MlxFunction f =
        mlx.compile(in -> {
          traced[0]++;
          return new MlxArray[] {
            mlx.add(mlx.multiply(in[0], two), in[1]), mlx.concatenate(0, in[0], in[1])
          };
        });
    MlxArray a = mlx.array(new float[] {1, 2}, 2);
    MlxArray b = mlx.array(new float[] {10, 20}, 2);
    for (int i = 0; i < 3; i++) {
      MlxArray[] out = f.apply(a, b);
      assertThat(floats(out[0])).containsExactly(12, 24);
      assertThat(floats(out[1])).containsExactly(1, 2, 10, 20);
    }
    assertThat(traced[0]).isEqualTo(1);
    f.apply(mlx.zeros(MlxType.FLOAT32, 3), mlx.zeros(MlxType.FLOAT32, 3));
    assertThat(traced[0]).isEqualTo(2);
  }

  @Test
  void failuresInTracesComeOut() {
    MlxArray a = mlx.zeros(MlxType.FLOAT32, 2, 3);
    MlxFunction bad = mlx.compile(in -> new MlxArray[] {mlx.matmul(in[0], in[0])});
    assertThatThrownBy(() -> bad.apply(a)).hasMessageContaining("[matmul]");
    MlxFunction worse =
        mlx.compile(in -> {
          throw new IllegalArgumentException("mine");
        });
    assertThatThrownBy(() -> worse.apply(a)).hasMessage("mine");
    MlxFunction good = mlx.compile(in -> new MlxArray[] {mlx.add(in[0], in[0])});
    assertThat(good.apply(a)).hasSize(1);
  }

  @Test
  void refusesADeviceThatIsNotThere() {
    if (!MlxLibrary.isMac()) {
      assertThatThrownBy(() -> new Mlx(MlxDevice.GPU)).isInstanceOf(MlxException.class);
    }
  }

  @Test
  void arraysOverMemory() {
    try (java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
      MemorySegment data = arena.allocate(64, 64);
      data.setAtIndex(java.lang.foreign.ValueLayout.JAVA_FLOAT, 1, 5);
      try (MlxArray a = mlx.keep(mlx.arrayOver(data, MlxType.FLOAT32, 16))) {
        assertThat(floats(a)[1]).isEqualTo(5);
      }
    }
  }
}
