package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.State;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.fixtures.ModelFolder;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.TinyModel;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxDevice;
import dev.qnext.mlx.face.MlxLibrary;
import dev.qnext.mlx.face.MlxMemory;
import dev.qnext.suites.ModelRun;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models that do not fit are refused before they are read, with numbers. */
@NeedsMlx
class MlxMemoryTest {
  /** Of a matrix of 8 TB: no machine of this kind has that, and files may have holes. */
  private static final int ROWS = 1 << 20;

  private static final int COLUMNS = 1 << 21;

  @TempDir Path folder;

  @Test
  void weightsThatDoNotFit() throws IOException {
    long before = Mlx.liveArrays();
    new ModelFolder(Map.of("model_type", "none"), Map.of()).write(folder);
    long bytes = 4L * ROWS * COLUMNS;
    String header =
        "{\"w.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]}}   "
            .formatted(ROWS, COLUMNS, bytes);
    try (RandomAccessFile file =
        new RandomAccessFile(folder.resolve("model.safetensors").toFile(), "rw")) {
      file.writeLong(Long.reverseBytes(header.length()));
      file.write(header.getBytes(StandardCharsets.US_ASCII));
      file.setLength(8 + header.length() + bytes);
    }
    Layout layout = new Layout(List.of(WeightSpec.matrix("w", ROWS, COLUMNS)));
    try (Backend backend = new MlxProvider().open();
        Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThatThrownBy(
              () -> {
                try (Weights weights = backend.bind(checkpoint, layout)) {
                  weights.get("w");
                }
              })
          .isInstanceOf(QnextException.class)
          .hasMessageMatching(
              "the weights take 8,388,608 MB, but MLX can use [\\d,]+ MB here.* and needs 1,024 MB of that beside them; take a smaller quantization.*");
      assertThat(Mlx.liveArrays()).isEqualTo(before);
    }
  }

  /** The caches grow with the context; what is there already stays fit for use. */
  @Test
  void contextsThatDoNotFit() {
    TinyModel model = new TinyModel(ModelShape.tiny(), 1);
    MlxLibrary.load();
    Mlx mlx = new Mlx(MlxDevice.CPU);
    long limit = MlxMemory.active() + (1L << 30) + (300 << 10);
    Backend backend = new MlxBackend(mlx, new MlxLimits(MlxDevice.CPU, limit));
    try (ModelRun run = new ModelRun(backend, model.published("BF16").write(folder));
        State state = run.newState()) {
      float[] expected = run.prefill(state, run.tokens(1, 40));
      assertThatThrownBy(() -> run.prefill(state, run.tokens(2, 900)))
          .isInstanceOf(QnextException.class)
          .hasMessageMatching(
              "a context of 940 tokens takes 0 MB more, but MLX can use 1,0\\d\\d MB here.* and needs 1,024 MB of that beside them; start a new conversation or take a smaller quantization");
      assertThat(state.length()).isEqualTo(40);
      state.rewind(0);
      assertThat(run.prefill(state, run.tokens(1, 40))).isEqualTo(expected);
    }
  }
}
