package dev.qnext.checkpoint;

import org.jspecify.annotations.Nullable;

/**
 * One weight that a model needs: the module's path by the checkpoint's own name, and what it must
 * look like.
 *
 * @param experts how many matrices are stacked; 1 for anything but {@link Kind#EXPERTS}
 * @param columns input width; the length of a vector
 * @param rowOrder how the bound rows lie in the file; null keeps the order
 */
public record WeightSpec(
    String path, Kind kind, int experts, int rows, int columns, @Nullable RowOrder rowOrder) {
  public enum Kind {
    /** {@code path.weight} [rows, columns], in any format. */
    MATRIX,
    /**
     * {@code ...switch_mlp.NAME} [experts, rows, columns], or one {@code ...experts.E.NAME} each as
     * published.
     */
    EXPERTS,
    /** {@code path.weight} [columns], published zero-centred: what is bound is 1 + w. */
    NORM,
    /** {@code path}, or {@code path.weight}: so many plain numbers in any shape. */
    VECTOR
  }

  /** Bytes that the weight takes in a format. */
  public long bytes(Format format) {
    return (long) experts * rows * format.storedRowBytes(columns);
  }

  public static WeightSpec matrix(String path, int rows, int columns) {
    return new WeightSpec(path, Kind.MATRIX, 1, rows, columns, null);
  }

  public static WeightSpec matrix(String path, int rows, int columns, RowOrder rowOrder) {
    return new WeightSpec(path, Kind.MATRIX, 1, rows, columns, rowOrder);
  }

  public static WeightSpec experts(String path, int experts, int rows, int columns) {
    return new WeightSpec(path, Kind.EXPERTS, experts, rows, columns, null);
  }

  public static WeightSpec norm(String path, int columns) {
    return new WeightSpec(path, Kind.NORM, 1, 1, columns, null);
  }

  public static WeightSpec vector(String path, int columns) {
    return new WeightSpec(path, Kind.VECTOR, 1, 1, columns, null);
  }
}
