package dev.qnext.cli;

import com.sun.nio.file.ExtendedOpenOption;
import dev.qnext.QnextException;
import dev.qnext.backend.Check;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How fast a model's files are read, which bounds how fast it is loaded. Read past the system's
 * cache where that is possible, or a second look would measure memory.
 */
final class DiskSpeed {
  private static final int PIECE = 16 << 20;
  private static final long NANOS = 2_000_000_000L;

  private DiskSpeed() {}

  /** Reads from the largest weights file for two seconds at most. */
  static Check of(Path folder) {
    Path file = largest(folder);
    if (file == null) {
      throw new QnextException("no *.safetensors in %s".formatted(folder));
    }
    try {
      int block = (int) Files.getFileStore(file).getBlockSize();
      try (FileChannel direct =
          FileChannel.open(file, StandardOpenOption.READ, ExtendedOpenOption.DIRECT)) {
        return read(file, direct, block, "");
      } catch (UnsupportedOperationException | IOException e) {
        try (FileChannel cached = FileChannel.open(file, StandardOpenOption.READ)) {
          return read(file, cached, block, ", perhaps from the system's cache");
        }
      }
    } catch (IOException e) {
      throw new QnextException("cannot read %s: %s".formatted(file, e.getMessage()), e);
    }
  }

  private static @Nullable Path largest(Path folder) {
    Path largest = null;
    long size = -1;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.safetensors")) {
      for (Path file : files) {
        if (Files.size(file) > size) {
          largest = file;
          size = Files.size(file);
        }
      }
    } catch (IOException e) {
      throw new QnextException("cannot list %s: %s".formatted(folder, e.getMessage()), e);
    }
    return largest;
  }

  private static Check read(Path file, FileChannel channel, int block, String remark)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE + block).alignedSlice(block);
    buffer.limit(PIECE);
    long start = System.nanoTime();
    long bytes = 0;
    long nanos;
    int count;
    do {
      buffer.clear().limit(PIECE);
      count = channel.read(buffer);
      bytes += Math.max(0, count);
      nanos = System.nanoTime() - start;
    } while (count == PIECE && nanos < NANOS);
    return Check.info(
        "disk",
        String.format(
            Locale.ROOT,
            "%.2f GB/s (%s of %s%s)",
            bytes / (double) Math.max(1, nanos),
            SystemChecks.bytes(bytes),
            file.getFileName(),
            remark));
  }
}
