package dev.qnext.cli;

import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.SafetensorsWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A process that is for ever in the middle of writing the file that it was given. */
final class HalfWriting {
  private HalfWriting() {}

  public static void main(String[] args) throws InterruptedException {
    SafetensorsWriter.Entry tensor = new SafetensorsWriter.Entry("x", DType.F32, List.of(8L));
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(Path.of(args[0]), List.of(tensor), Map.of())) {
      writer.write(new float[4]);
      System.err.println("half");
      Thread.sleep(600_000);
    }
  }
}
