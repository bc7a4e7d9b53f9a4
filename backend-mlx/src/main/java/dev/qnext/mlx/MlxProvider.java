package dev.qnext.mlx;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.mlx.face.MlxType;

/** Offers MLX where its library is installed. */
public final class MlxProvider implements BackendProvider {
  @Override
  public String name() {
    return "mlx";
  }

  @Override
  public int rank() {
    return -1;
  }

  @Override
  public Backend open() {
    try {
      MlxLibrary.load();
      return new MlxBackend(new Mlx(MlxDevice.CPU), MlxType.FLOAT32);
    } catch (MlxException e) {
      throw new QnextException(e.getMessage(), e);
    }
  }
}
