package dev.qnext.mlx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.QnextException;
import dev.qnext.backend.Backend;
import dev.qnext.backend.Weights;
import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Layout;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.fixtures.ModelFolder;
import dev.qnext.mlx.face.Mlx;
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
}
