package dev.qnext.bench;

import dev.qnext.checkpoint.Checkpoint;
import dev.qnext.checkpoint.Config;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.StoredTensor;
import dev.qnext.checkpoint.WeightSpec;
import dev.qnext.model.LanguageModel;
import dev.qnext.quantize.Recipe;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A checkpoint of any shape and recipe with random weights, made in memory by all cores: what a
 * model of that shape costs in time can be measured without having one. As an MLX conversion lays
 * it out: experts stacked, 1 added to the norms.
 *
 * <p>All lies in one block that begins at a multiple of 2 MiB, every tensor at one of 16 KiB.
 */
public final class SyntheticModel {
  private static final long BLOCK_ALIGNMENT = 2L << 20;
  private static final long ALIGNMENT = 16L << 10;

  private final Config config;
  private final List<Part> parts = new ArrayList<>();
  private long bytes;

  /**
   * A tensor to be made.
   *
   * @param stream names the random bits that it is made of
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by nobody
  private record Part(
      String name, DType type, long[] shape, Filling filling, int stream, long offset) {
    long bytes() {
      long bytes = type.bytes();
      for (long size : shape) {
        bytes *= size;
      }
      return bytes;
    }
  }

  public SyntheticModel(Config config, Recipe recipe) {
    this.config = config;
    for (WeightSpec spec : LanguageModel.layout(config).weights()) {
      add(spec, recipe.format(spec.path()));
    }
  }

  /** Bytes of the block, with the little that is left free between tensors. */
  public long bytes() {
    return bytes;
  }

  /**
   * Makes the tensors.
   *
   * @param arena where the block is to lie; closed with the checkpoint
   */
  public Checkpoint make(Arena arena, long seed) {
    MemorySegment block = arena.allocate(bytes, BLOCK_ALIGNMENT);
    Path file = config.file().resolveSibling("model.safetensors");
    List<StoredTensor> tensors = new ArrayList<>();
    for (Part part : parts) {
      // The padding belongs to the block too.
      MemorySegment whole = block.asSlice(part.offset, (part.bytes() + 7) / 8 * 8);
      part.filling.fill(whole, seed + ((long) part.stream << 32));
      MemorySegment data = whole.asSlice(0, part.bytes());
      tensors.add(new StoredTensor(part.name, part.type, part.shape, data, file));
    }
    return Checkpoint.of(config, tensors, arena);
  }

  private void add(WeightSpec spec, Format format) {
    String name = spec.path();
    int stream = parts.size();
    switch (spec.kind()) {
      case NORM -> add(name + ".weight", DType.BF16, Filling.constant(1), stream, spec.columns());
      case VECTOR -> add(name, DType.BF16, Filling.numbers(1), stream, spec.columns());
      case MATRIX -> matrices(spec, format, spec.rows());
      case EXPERTS -> matrices(spec, format, spec.experts(), spec.rows());
    }
  }

  /** Codes of random bits, with scales that make a row's numbers about as large as 1 / sqrt(K). */
  private void matrices(WeightSpec spec, Format format, long... rows) {
    String name = spec.path();
    int columns = spec.columns();
    double rms = 1 / Math.sqrt(columns);
    DType type = format.scaleType();
    int stream = parts.size();
    if (format.mode() == Format.Mode.PLAIN) {
      add(name + ".weight", type, Filling.numbers(rms), stream, with(rows, columns));
      return;
    }
    long[] codes = with(rows, format.rowBytes(columns) / 4);
    long[] groups = with(rows, columns / format.group());
    add(name + ".weight", DType.U32, Filling.codes(format.mode()), stream, codes);
    // Scales and biases have their signs from the same bits.
    add(name + ".scales", type, Filling.scales(format, rms), stream + 1, groups);
    if (format.mode() == Format.Mode.AFFINE) {
      add(name + ".biases", type, Filling.biases(format, rms), stream + 1, groups);
    }
  }

  private static long[] with(long[] rows, long last) {
    long[] shape = Arrays.copyOf(rows, rows.length + 1);
    shape[rows.length] = last;
    return shape;
  }

  private void add(String name, DType type, Filling filling, int stream, long... shape) {
    Part part = new Part(name, type, shape, filling, stream, bytes);
    parts.add(part);
    bytes += (part.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
