package dev.qnext.mlx.face;

/** A process that loads MLX twice, and says on two lines what came of it. */
final class LoadMlx {
  private LoadMlx() {}

  public static void main(String[] args) {
    for (int i = 0; i < 2; i++) {
      try {
        System.out.println("loaded " + MlxLibrary.load().file());
      } catch (MlxException e) {
        System.out.println(e.getMessage());
      }
    }
  }
}
