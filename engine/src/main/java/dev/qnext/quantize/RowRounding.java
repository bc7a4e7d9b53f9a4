package dev.qnext.quantize;

import dev.qnext.QnextException;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.RowDecoder;
import dev.qnext.checkpoint.SafetensorsWriter;
import dev.qnext.checkpoint.WeightSpec;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Rounds matrices on several threads and writes them in order. Blocks of rows are rounded side by
 * side, a few blocks ahead of the one that is written; scales and biases of a matrix, a fraction of
 * it, wait in memory until its codes are written.
 */
final class RowRounding implements AutoCloseable {
  /** Numbers of a block: large enough to keep a thread busy, small enough to keep few in memory. */
  private static final long BLOCK = 1 << 20;

  private final int threads;
  private final ExecutorService pool;

  private record Block(byte[] codes, byte[] scales, byte[] biases) {}

  RowRounding(int threads) {
    this.threads = threads;
    this.pool = Executors.newFixedThreadPool(threads, Thread.ofPlatform().daemon().factory());
  }

  void write(Conversion.Part part, SafetensorsWriter writer) {
    WeightSpec spec = part.spec();
    int rows = (int) Math.clamp(BLOCK / spec.columns(), 1, spec.rows());
    List<Callable<Block>> work = new ArrayList<>();
    for (int expert = 0; expert < spec.experts(); expert++) {
      for (int row = 0; row < spec.rows(); row += rows) {
        int e = expert;
        int first = row;
        int last = Math.min(row + rows, spec.rows());
        work.add(() -> round(part, e, first, last));
      }
    }
    ByteArrayOutputStream scales = new ByteArrayOutputStream();
    ByteArrayOutputStream biases = new ByteArrayOutputStream();
    List<Future<Block>> ahead = new ArrayList<>();
    int submitted = 0;
    for (int i = 0; i < work.size(); i++) {
      while (submitted < work.size() && submitted < i + 2 * threads) {
        ahead.add(pool.submit(work.get(submitted++)));
      }
      Block block = await(ahead.removeFirst());
      writer.write(MemorySegment.ofArray(block.codes));
      scales.writeBytes(block.scales);
      biases.writeBytes(block.biases);
    }
    if (part.to().mode() != Format.Mode.PLAIN) {
      writer.write(MemorySegment.ofArray(scales.toByteArray()));
    }
    if (part.to().mode() == Format.Mode.AFFINE) {
      writer.write(MemorySegment.ofArray(biases.toByteArray()));
    }
  }

  private static Block round(Conversion.Part part, int expert, int first, int last) {
    Format to = part.to();
    int columns = part.spec().columns();
    int rows = last - first;
    int rowBytes = Math.toIntExact(to.rowBytes(columns));
    int scaleBytes = Math.toIntExact(to.scaleRowBytes(columns));
    byte[] codes = new byte[rows * rowBytes];
    byte[] scales = new byte[rows * scaleBytes];
    byte[] biases = new byte[to.mode() == Format.Mode.AFFINE ? scales.length : 0];
    boolean plain = to.mode() == Format.Mode.PLAIN;
    RowDecoder decoder = new RowDecoder(part.weight());
    RowEncoder encoder = new RowEncoder(to, columns);
    float[] row = new float[columns];
    for (int r = 0; r < rows; r++) {
      decoder.decode(expert, first + r, row);
      requireFinite(part, expert, first + r, row);
      if (plain) {
        PlainNumbers.put(to.scaleType(), row, columns, codes, r * rowBytes);
      } else {
        encoder.encode(row, codes, r * rowBytes, scales, biases, r * scaleBytes);
      }
    }
    return new Block(codes, scales, biases);
  }

  private static void requireFinite(Conversion.Part part, int expert, int r, float[] row) {
    for (int i = 0; i < row.length; i++) {
      if (!Float.isFinite(row[i])) {
        throw new QnextException(
            "%s holds %s at %srow %d, column %d: the source is damaged; download it again"
                .formatted(
                    part.spec().path(),
                    row[i],
                    part.spec().experts() > 1 ? "expert %d, ".formatted(expert) : "",
                    r,
                    i));
      }
    }
  }

  private static Block await(Future<Block> block) {
    try {
      return block.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new QnextException("interrupted", e);
    }
  }

  @Override
  public void close() {
    pool.shutdownNow();
  }
}
