package dev.qnext.mlx.face;

/**
 * A call of MLX failed, or MLX could not be loaded; the message is MLX's own, or says what was
 * looked for.
 */
public final class MlxException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public MlxException(String message) {
    super(message);
  }

  public MlxException(String message, Throwable cause) {
    super(message, cause);
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
