package dev.qnext.suites;

import dev.qnext.fixtures.Golden;
import dev.qnext.fixtures.ModelFolder;
import dev.qnext.fixtures.ModelShape;
import dev.qnext.fixtures.TensorFile;
import dev.qnext.fixtures.TinyModel;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A checkpoint that suites run on, by a printable name. */
public record CheckpointSource(String name, boolean golden, int index) {
  private static final int RANDOM = 9;

  /** All golden ones, and generated ones of random shapes in both layouts. */
  public static Stream<CheckpointSource> all() {
    return Stream.concat(goldenOnes(), random());
  }

  private static Stream<CheckpointSource> goldenOnes() {
    return GoldenModelSuite.CHECKPOINTS.stream().map(name -> new CheckpointSource(name, true, 0));
  }

  public static Stream<CheckpointSource> random() {
    return IntStream.range(0, RANDOM)
        .mapToObj(i -> new CheckpointSource("random " + i + ": " + ModelShape.random(i), false, i));
  }

  /** The checkpoint's folder; a generated one is written to the given place. */
  public Path folder(Path temporary) {
    if (golden) {
      return Golden.path(name);
    }
    TinyModel model = new TinyModel(ModelShape.random(index), index);
    if (index % 2 == 0) {
      return model.published("BF16").write(temporary);
    }
    ModelFolder converted = model.converted(path -> null);
    byte[] mtp = TensorFile.bytes(model.mtpFile(path -> null), Map.of("format", "qnext-mtp-1"), 3);
    TensorFile.write(temporary.resolve("mtp.safetensors"), mtp);
    return converted.write(temporary, index % 8);
  }

  @Override
  public String toString() {
    return name;
  }
}
