package dev.qnext.mlx.face;

/** Where MLX computes, by the codes of {@code mlx_device_type}. */
public enum MlxDevice {
  CPU,
  GPU
}
