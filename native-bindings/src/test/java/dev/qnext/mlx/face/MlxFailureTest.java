package dev.qnext.mlx.face;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Graphs that are built and then cannot be computed. */
class MlxFailureTest {
  private static final String MESSAGE = "[GatherMM::eval]";

  private Mlx mlx;
  private long before;

  @BeforeEach
  void open() {
    try {
      MlxLibrary.load();
    } catch (MlxException e) {
      assumeTrue("1".equals(System.getenv("QNEXT_REQUIRE_MLX")), e.getMessage());
      throw e;
    }
    before = Mlx.liveArrays();
    mlx = new Mlx(MlxDevice.CPU);
  }

  @AfterEach
  void close() {
    if (mlx != null) {
      works();
      mlx.close();
      assertThat(Mlx.liveArrays()).isEqualTo(before);
    }
  }

  private void works() {
    float[] three = new float[1];
    MlxArray one = mlx.array(new float[] {1}, 1);
    mlx.read(mlx.add(one, mlx.add(one, one)), MemorySegment.ofArray(three));
    assertThat(three).containsExactly(3);
  }

  /** MLX's CPU device has no such product in bf16, and finds that out when it computes. */
  private MlxArray notComputable() {
    MlxArray matrix = mlx.zeros(MlxType.BFLOAT16, 1, 1, 1);
    MlxArray product = mlx.gatherMm(matrix, matrix, null, mlx.zeros(MlxType.UINT32, 1), false);
    return mlx.asType(product, MlxType.FLOAT32);
  }

  @Test
  void evaluationsTellWhatMlxSays() {
    MlxArray broken = notComputable();
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> mlx.eval(broken))
          .isInstanceOf(MlxException.class)
          .hasMessageContaining(MESSAGE);
      works();
    }
    assertThatThrownBy(() -> mlx.read(broken, MemorySegment.ofArray(new float[1])))
        .hasMessageContaining(MESSAGE);
  }

  @Test
  void startedOnesTellAtOnce() {
    assertThatThrownBy(() -> mlx.start(notComputable()))
        .isInstanceOf(MlxException.class)
        .hasMessageContaining(MESSAGE);
    mlx.synchronize();
  }

  @Test
  void whatDependsOnThemFailsToo() {
    MlxArray fine = mlx.add(mlx.array(new float[] {1}, 1), mlx.array(new float[] {2}, 1));
    MlxArray tainted = mlx.add(mlx.reshape(notComputable(), 1), fine);
    assertThatThrownBy(() -> mlx.eval(tainted, fine)).hasMessageContaining(MESSAGE);
    float[] out = new float[1];
    mlx.read(fine, MemorySegment.ofArray(out));
    assertThat(out).describedAs("computed beside it").containsExactly(3);
    assertThatThrownBy(() -> mlx.eval(tainted)).hasMessageContaining(MESSAGE);
  }
}
