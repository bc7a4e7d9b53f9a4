package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.mlx.face.MlxType;
import dev.qnext.suites.ModelRun;
import org.junit.jupiter.api.Test;

/**
 * What computes when all is closed reads the checkpoint's map, which must stay until it is done.
 */
@NeedsMlx
class MlxCloseTest {
  @Test
  void closingAModelWaitsForWhatComputes() {
    MlxLibrary.load();
    Mlx mlx = new Mlx(MlxDevice.CPU);
    ModelRun run = new ModelRun(new MlxBackend(mlx), Golden.path("tiny/mlx-4bit"));
    MlxArray product = mlx.zeros(MlxType.FLOAT32, 1024, 1024);
    for (int i = 0; i < 15; i++) {
      product = mlx.matmul(product, product);
    }
    mlx.start(product);
    assertThat(mlx.isComputed(product)).isFalse();
    run.model.close();
    assertThat(mlx.isComputed(product)).isTrue();
    run.checkpoint.close();
    run.backend.close();
  }
}
