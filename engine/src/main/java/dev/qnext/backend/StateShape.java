package dev.qnext.backend;

import java.util.List;

/**
 * What a {@link State} must hold, layer by layer; a layer's index here is the {@code layer} of the
 * operations.
 */
public record StateShape(List<Layer> layers) {
  public StateShape {
    layers = List.copyOf(layers);
  }

  public sealed interface Layer {}

  /** Keys and values of all positions: 2 x [capacity, kvHeads, headDim]. */
  public record Attention(int kvHeads, int headDim) implements Layer {}

  /**
   * Gated delta net: a matrix [valueHeads, valueDim, keyDim] in f32, and the last kernel - 1 inputs
   * of the convolution over {@link #channels} channels.
   */
  public record Delta(int keyHeads, int valueHeads, int keyDim, int valueDim, int kernel)
      implements Layer {
    public int channels() {
      return 2 * keyHeads * keyDim + valueHeads * valueDim;
    }
  }

  /**
   * Bytes that a state of so many tokens takes when every number takes so many bytes in the cache
   * (recurrent state: 4).
   */
  public long bytes(long tokens, int bytesPerCached) {
    long bytes = 0;
    for (Layer layer : layers) {
      bytes +=
          switch (layer) {
            case Attention a -> 2L * a.kvHeads() * a.headDim() * bytesPerCached * tokens;
            case Delta d ->
                4L * d.valueHeads() * d.valueDim() * d.keyDim()
                    + 4L * (d.kernel() - 1) * d.channels();
          };
    }
    return bytes;
  }
}
