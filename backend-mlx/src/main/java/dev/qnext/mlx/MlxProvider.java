package dev.qnext.mlx;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.BackendProvider;
import dev.qnext.backend.Check;
import dev.qnext.machine.Command;
import dev.qnext.mlx.face.EngineThread;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArena;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxDevices;
import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxLibrary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Offers MLX where its library is installed. */
public final class MlxProvider implements BackendProvider {
  @Override
  public String name() {
    return "mlx";
  }

  /**
   * Above all others on Apple silicon, installed or not: without it a Mac is hopelessly slow, and
   * the user should know. Elsewhere only where it sees an NVIDIA GPU; MLX's CPU device is for those
   * who ask for it.
   */
  @Override
  public int rank() {
    if (MlxLibrary.isMac()) {
      return "aarch64".equals(System.getProperty("os.arch")) ? 100 : -1;
    }
    return hasNvidia() && seesCuda() ? 100 : -1;
  }

  private static boolean seesCuda() {
    try {
      MlxLibrary.load();
      return MlxDevices.hasCuda();
    } catch (MlxException e) {
      return false;
    }
  }

  /** The driver is loaded; asked first, because loading MLX in vain takes time at every start. */
  private static boolean hasNvidia() {
    return Files.exists(Path.of("/proc/driver/nvidia/version"));
  }

  @Override
  public List<Check> checks() {
    return new MlxChecks(Command::onThisMachine, MlxLibrary.isMac(), hasNvidia()).all();
  }

  @Override
  public Backend open() {
    try {
      MlxLibrary.load();
      EngineThread.preferFastCores();
      return new MlxBackend(device());
    } catch (MlxException e) {
      throw new QnextException(e.getMessage(), e);
    }
  }

  /** The GPU where MLX has one, unless the environment names another. */
  private static Mlx device() {
    String told = System.getenv("QNEXT_MLX_DEVICE");
    if (told != null && !told.isEmpty() && !told.equals("cpu") && !told.equals("gpu")) {
      throw new QnextException("QNEXT_MLX_DEVICE is \"%s\" but must be cpu or gpu".formatted(told));
    }
    boolean gpu = MlxDevices.hasMetal() || MlxDevices.hasCuda();
    if (!"gpu".equals(told) && (!gpu || "cpu".equals(told))) {
      return new Mlx(MlxDevice.CPU);
    }
    Mlx mlx = new Mlx(MlxDevice.GPU);
    try (MlxArena arena = mlx.arena()) {
      // A missing or unusable metallib shows at the first computation only.
      MlxArray ones = mlx.array(new float[] {1, 1, 1, 1}, 2, 2);
      mlx.eval(mlx.matmul(ones, ones));
      return mlx;
    } catch (MlxException e) {
      mlx.close();
      throw new QnextException(
          "MLX cannot compute on this GPU: %s; QNEXT_MLX_DEVICE=cpu does without it"
              .formatted(e.getMessage()),
          e);
    }
  }
}
