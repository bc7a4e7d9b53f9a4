package dev.qnext.backend;

/** A range of a tensor's rows. */
public record Rows(int first, int count) {
  public Rows {
    if (first < 0 || count < 0) {
      throw new IllegalArgumentException("rows %d + %d".formatted(first, count));
    }
  }

  public static Rows all(Tensor tensor) {
    return new Rows(0, tensor.rows());
  }

  public static Rows last(Tensor tensor) {
    return new Rows(tensor.rows() - 1, 1);
  }
}
