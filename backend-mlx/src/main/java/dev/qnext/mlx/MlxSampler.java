package dev.qnext.mlx;

import dev.qnext.backend.Sampling;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxType;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * {@link Sampling} on the device: the same filters in the same order and the same keyed noise, in
 * f32 where Java has f64, so that only a draw that is a tie to seven digits can differ.
 */
final class MlxSampler {
  /** Numbers that MLX's GPUs sort by one kernel. */
  private static final int BLOCK = 2048;

  /** Colder ones would divide to infinity in f32, or are 0 on a GPU. */
  private static final float COLDEST = 1e-30f;

  private final Mlx mlx;

  MlxSampler(Mlx mlx) {
    this.mlx = mlx;
  }

  MlxTensor sample(MlxTensor logits, Sampling sampling, long position) {
    int rows = logits.rows();
    int vocabulary = logits.columns();
    MlxArray x = mlx.asType(logits.array(), MlxType.FLOAT32);
    MlxArray token;
    if (sampling.temperature() == 0) {
      token = mlx.argMax(x, 1, true);
    } else if (sampling.topK() == 0 && sampling.topP() == 1 && sampling.minP() == 0) {
      MlxArray ids = mlx.reshape(mlx.arange(0, vocabulary, 1, MlxType.UINT32), 1, vocabulary);
      MlxArray values = mlx.add(scaled(x, sampling), noise(ids, sampling.seed(), position, rows));
      token = mlx.argMax(values, 1, true);
    } else {
      token = filtered(x, sampling, position, rows, vocabulary);
    }
    return new MlxTensor(token, rows, 1, mlx.takeAlong(x, token, 1));
  }

  private MlxArray scaled(MlxArray x, Sampling sampling) {
    return mlx.divide(x, scalar(Math.max(sampling.temperature(), COLDEST)));
  }

  /**
   * The draw among the tokens that pass top-k, top-p and min-p, the most probable first, of equals
   * the lower id.
   */
  private MlxArray filtered(
      MlxArray x, Sampling sampling, long position, int rows, int vocabulary) {
    MlxArray ids =
        sampling.topK() > 0 && sampling.topK() < vocabulary
            ? largest(x, sampling.topK(), rows, vocabulary)
            : descending(x, 1);
    MlxArray falling = mlx.takeAlong(x, ids, 1);
    // The noise tells more of equals apart when it meets small numbers.
    MlxArray sorted = scaled(mlx.subtract(falling, mlx.slice(falling, 1, 0, 1)), sampling);
    MlxArray weights = mlx.exp(sorted);
    MlxArray kept = null;
    if (sampling.topP() < 1) {
      MlxArray before = mlx.cumulativeSum(weights, 1, false, false);
      MlxArray enough = mlx.multiply(mlx.sum(weights, 1, true), scalar(sampling.topP()));
      kept = mlx.less(before, enough);
    }
    if (sampling.minP() > 0) {
      MlxArray likely = mlx.greaterEqual(weights, scalar(sampling.minP()));
      kept = kept == null ? likely : mlx.and(kept, likely);
    }
    MlxArray values = mlx.add(sorted, noise(ids, sampling.seed(), position, rows));
    return mlx.takeAlong(ids, mlx.argMax(masked(values, kept), 1, true), 1);
  }

  private MlxArray descending(MlxArray x, int axis) {
    return mlx.argSort(mlx.negative(x), axis);
  }

  /**
   * The ids of the k largest, in their order [rows, k]. Few of many are the largest of each block's
   * largest: blocks are sorted by one kernel all together, where sorting the whole vocabulary takes
   * one pass after another.
   */
  private MlxArray largest(MlxArray x, int k, int rows, int vocabulary) {
    int blocks = (vocabulary + BLOCK - 1) / BLOCK;
    if (blocks * k > BLOCK || blocks == 1) {
      return mlx.slice(descending(x, 1), 1, 0, k);
    }
    float[] nothing = new float[rows * (blocks * BLOCK - vocabulary)];
    Arrays.fill(nothing, Float.NEGATIVE_INFINITY);
    MlxArray padded =
        nothing.length == 0
            ? x
            : mlx.concatenate(1, x, mlx.array(nothing, rows, nothing.length / rows));
    MlxArray blocked = mlx.reshape(padded, rows, blocks, BLOCK);
    MlxArray best = mlx.slice(descending(blocked, 2), 2, 0, k);
    int[] starts = new int[blocks];
    Arrays.setAll(starts, block -> block * BLOCK);
    MlxArray ids = mlx.add(best, mlx.array(starts, MlxType.UINT32, 1, blocks, 1));
    MlxArray values = mlx.reshape(mlx.takeAlong(blocked, best, 2), rows, blocks * k);
    MlxArray order = mlx.slice(descending(values, 1), 1, 0, k);
    return mlx.takeAlong(mlx.reshape(ids, rows, blocks * k), order, 1);
  }

  private MlxArray masked(MlxArray values, @Nullable MlxArray kept) {
    return kept == null ? values : mlx.where(kept, values, scalar(Float.NEGATIVE_INFINITY));
  }

  private MlxArray scalar(float value) {
    return mlx.array(new float[] {value}, 1, 1);
  }

  private MlxArray word(int value) {
    return mlx.array(new int[] {value}, MlxType.UINT32, 1, 1);
  }

  /**
   * {@link Sampling#noise} for the ids of rows at consecutive positions; the key of a row is mixed
   * on the host.
   */
  private MlxArray noise(MlxArray ids, long seed, long position, int rows) {
    int[] keys = new int[rows];
    for (int i = 0; i < rows; i++) {
      keys[i] = Sampling.key(seed, position + i);
    }
    MlxArray h = mlx.bitwiseXor(ids, mlx.array(keys, MlxType.UINT32, rows, 1));
    h = mlx.bitwiseXor(h, mlx.rightShift(h, word(16)));
    h = mlx.multiply(h, word(0x85EBCA6B));
    h = mlx.bitwiseXor(h, mlx.rightShift(h, word(13)));
    h = mlx.multiply(h, word(0xC2B2AE35));
    h = mlx.bitwiseXor(h, mlx.rightShift(h, word(16)));
    MlxArray uniform =
        mlx.multiply(mlx.add(mlx.asType(h, MlxType.FLOAT32), scalar(0.5f)), scalar(0x1p-32f));
    // Rounded up to 1 it would be infinite; the noise is then the smallest there is, which never
    // wins.
    MlxArray below = mlx.minimum(uniform, scalar(1 - 0x1p-24f));
    return mlx.negative(mlx.log(mlx.negative(mlx.log1p(mlx.negative(below)))));
  }
}
