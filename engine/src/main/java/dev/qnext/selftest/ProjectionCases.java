package dev.qnext.selftest;

import dev.qnext.backend.Rows;
import dev.qnext.backend.Tensor;
import dev.qnext.checkpoint.DType;
import dev.qnext.checkpoint.Format;
import dev.qnext.checkpoint.Format.Mode;
import dev.qnext.checkpoint.RowOrder;
import dev.qnext.checkpoint.WeightSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** embed, linear and logits, in every format. */
final class ProjectionCases {
  /** MLX's fast kernels for few rows need a multiple of 512 columns and of 8 rows. */
  private static final int COLUMNS = 512;

  private static final int ROWS = 64;

  /**
   * Rows of x. MLX has a kernel for single rows; matrix units (NAX) were seen wrong above 8 rows
   * (mlx#3586); and some chips keep to the kernels for few rows up to 32.
   */
  private static final int[] TOKENS = {1, 8, 16, 40};

  private static final String X = "projection.x";

  private ProjectionCases() {}

  static List<Format> formats() {
    List<Format> formats = new ArrayList<>();
    for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
      formats.add(Format.plain(type));
    }
    for (int bits : new int[] {2, 3, 4, 5, 6, 8}) {
      for (int group : new int[] {32, 64, 128}) {
        formats.add(affine(bits, group));
      }
    }
    formats.add(new Format(Mode.MXFP4, 4, 32, DType.U8));
    formats.add(new Format(Mode.MXFP8, 8, 32, DType.U8));
    formats.add(new Format(Mode.NVFP4, 4, 16, DType.U8));
    return formats;
  }

  static Format affine(int bits, int group) {
    return new Format(Mode.AFFINE, bits, group, DType.BF16);
  }

  private static String path(Format format) {
    return "projection." + format.toString().replace(", groups of ", "-").replace(' ', '-');
  }

  static void add(RandomWeights weights, List<Case> cases) {
    SplittableRandom random = new SplittableRandom(1);
    WeightSpec x = WeightSpec.matrix(X, TOKENS[TOKENS.length - 1], COLUMNS);
    weights.floats(
        X + ".weight", RandomWeights.gaussian(random, x.rows() * COLUMNS, 1), x.rows(), COLUMNS);
    for (Format format : formats()) {
      String path = path(format);
      weights.matrix(random, path, format, ROWS, COLUMNS);
      WeightSpec w = WeightSpec.matrix(path, ROWS, COLUMNS);
      cases.add(
          Case.of(
              "embed",
              format.toString(),
              List.of(w),
              bench -> {
                Tensor ids = bench.backend().tokens(new int[] {3, 0, ROWS - 1, 3, 17});
                bench.read(bench.backend().embed(bench.weight(path), ids));
              }));
    }
    for (Format format : formats()) {
      String path = path(format);
      WeightSpec w = WeightSpec.matrix(path, ROWS, COLUMNS);
      for (int tokens : TOKENS) {
        String sizes = "%s, %d row%s".formatted(format, tokens, tokens == 1 ? "" : "s");
        // The weight first: a backend may take the type of its activations from the first matrix.
        cases.add(Case.of("linear", sizes, List.of(w, x), bench -> linear(bench, path, tokens)));
      }
    }
    Format halves = new Format(Mode.AFFINE, 4, 64, DType.F16);
    weights.matrix(random, "projection.halves", halves, ROWS, COLUMNS);
    WeightSpec half = WeightSpec.matrix("projection.halves", ROWS, COLUMNS);
    for (int tokens : TOKENS) {
      cases.add(
          Case.of(
              "linear",
              "4 bit in f16, %d row%s".formatted(tokens, tokens == 1 ? "" : "s"),
              List.of(half, x),
              bench -> linear(bench, half.path(), tokens)));
    }
    RowOrder order = new RowOrder(4, List.of(4, 4, 8));
    for (Format format : List.of(Format.plain(DType.BF16), affine(4, 64))) {
      String path = path(format);
      cases.add(
          Case.of(
              "linear",
              format + ", 8 rows, rows of the weight reordered",
              List.of(WeightSpec.matrix(path, ROWS, COLUMNS, order), x),
              bench -> linear(bench, path, 8)));
    }
    for (Format format : List.of(Format.plain(DType.BF16), affine(4, 64), affine(8, 64))) {
      String path = path(format);
      WeightSpec w = WeightSpec.matrix(path, ROWS, COLUMNS);
      for (Rows rows : List.of(new Rows(39, 1), new Rows(5, 3), new Rows(0, 40))) {
        cases.add(
            Case.of(
                "logits",
                "%s, %d of 40 rows".formatted(format, rows.count()),
                List.of(w, x),
                bench ->
                    bench.read(
                        bench.backend().logits(bench.weight(path), bench.input(X, 0, 40), rows))));
      }
    }
  }

  private static void linear(Bench bench, String path, int tokens) {
    bench.read(bench.backend().linear(bench.weight(path), bench.input(X, 0, tokens)));
  }
}
