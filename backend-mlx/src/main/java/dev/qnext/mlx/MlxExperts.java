package dev.qnext.mlx;

import dev.qnext.backend.ExpertArgs;
import dev.qnext.backend.State;
import dev.qnext.mlx.face.Mlx;
import dev.qnext.mlx.face.MlxArray;
import dev.qnext.mlx.face.MlxFunction;
import dev.qnext.mlx.face.MlxType;
import java.util.Arrays;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/** Mixture of experts of one layer: what its weights fold to, and its graph. */
final class MlxExperts {
  /**
   * Chosen experts of a pass from which on they are put in order, so that one expert's tokens are
   * computed together.
   */
  private static final int SORTED_FROM = 64;

  private final Mlx mlx;
  private final ExpertArgs args;
  private final MlxMatrix gates;
  private final MlxMatrix sharedInner;
  private final MlxFunction swiglu;

  /** All of it for the few tokens of a decode or verify pass. */
  private final MlxFunction decode;

  MlxExperts(Mlx mlx, ExpertArgs args, MlxType type) {
    this.mlx = mlx;
    this.args = args;
    MlxWeights home = MlxMatrix.of(args.gate()).home();
    this.gates =
        home.stacked(MlxMatrix.of(args.gate()), MlxMatrix.of(args.sharedExpertGate()), type);
    this.sharedInner =
        home.stacked(MlxMatrix.of(args.sharedGateProj()), MlxMatrix.of(args.sharedUpProj()), type);
    this.swiglu = home.elementWise(in -> new MlxArray[] {swiglu(mlx, in[0], in[1])});
    this.decode = home.function(in -> new MlxArray[] {mix(in[0], mlx.dimension(in[0], 0))});
  }

  static MlxExperts of(Mlx mlx, ExpertArgs args, MlxType type) {
    return MlxMatrix.of(args.gate())
        .home()
        .piece(args, MlxExperts.class, () -> new MlxExperts(mlx, args, type));
  }

  /**
   * @param x [T, hidden]
   */
  MlxArray forward(MlxArray x, int tokens) {
    return tokens <= State.MAX_VERIFY ? decode.apply(x)[0] : mix(x, tokens);
  }

  private MlxArray mix(MlxArray x, int tokens) {
    int hidden = mlx.dimension(x, 1);
    int chosen = args.chosen();
    // The router and the gate of the shared expert are one product, the gate in the column behind
    // the experts'.
    MlxArray both = gates.multiply(x);
    MlxArray logits = mlx.slice(both, 1, 0, args.experts());
    MlxArray open = mlx.sigmoid(mlx.slice(both, 1, args.experts(), args.experts() + 1));
    MlxArray order = mlx.argPartition(logits, args.experts() - chosen, 1);
    MlxArray experts = mlx.slice(order, 1, args.experts() - chosen, args.experts());
    // Softmax over all, renormalised over the chosen, is softmax over the chosen.
    MlxArray weights =
        args.renormalise()
            ? mlx.softmax(mlx.takeAlong(logits, experts, 1), 1)
            : mlx.takeAlong(mlx.softmax(logits, 1), experts, 1);
    MlxArray each =
        tokens * chosen < SORTED_FROM
            ? direct(x, experts, tokens, hidden)
            : sorted(x, experts, tokens, hidden);
    MlxArray routed =
        tokens == 1
            ? mlx.matmul(weights, mlx.reshape(each, chosen, hidden))
            : mlx.reshape(
                mlx.matmul(
                    mlx.reshape(weights, tokens, 1, chosen),
                    mlx.reshape(each, tokens, chosen, hidden)),
                tokens,
                hidden);
    MlxMatrix sharedDown = MlxMatrix.of(args.sharedDownProj());
    MlxArray shared = sharedDown.multiply(swiglu(sharedInner.multiply(x), sharedDown.columns()));
    return mlx.add(routed, mlx.multiply(open, shared));
  }

  /**
   * Of the shared expert, whose gate and up lie in one row; for one token they are made rows of
   * their own, for the result would have the stride of both and the next product copy it.
   */
  private MlxArray swiglu(MlxArray both, int width) {
    boolean rows = mlx.dimension(both, 0) == 1 && mlx.dimension(both, 1) == 2 * width;
    if (rows) {
      MlxArray two = mlx.reshape(both, 2, width);
      return swiglu(mlx.slice(two, 0, 0, 1), mlx.slice(two, 0, 1, 2));
    }
    return swiglu(mlx.slice(both, 1, 0, width), mlx.slice(both, 1, width, 2 * width));
  }

  /** [T, chosen, 1, hidden]. */
  private MlxArray direct(MlxArray x, MlxArray experts, int tokens, int hidden) {
    MlxArray in = tokens == 1 ? x : mlx.reshape(x, tokens, 1, hidden);
    // Left indices are given, or MLX counts them out in a kernel of its own for every product.
    int chosen = args.chosen();
    MlxArray inner = inner(in, indices(tokens, chosen, slot -> slot / chosen), experts, false);
    MlxArray slots = indices(tokens, chosen, slot -> slot);
    return MlxMatrix.of(args.downProj()).gather(inner, slots, experts, false);
  }

  /** Of each slot [T, chosen]. */
  private MlxArray indices(int tokens, int chosen, IntUnaryOperator index) {
    int[] numbers = new int[tokens * chosen];
    Arrays.setAll(numbers, index);
    return mlx.array(numbers, MlxType.UINT32, tokens, chosen);
  }

  /** [T * chosen, 1, hidden]: the same by ascending expert, and back in the order of the tokens. */
  private MlxArray sorted(MlxArray x, MlxArray experts, int tokens, int hidden) {
    int slots = tokens * args.chosen();
    MlxArray flat = mlx.reshape(experts, slots);
    MlxArray order = mlx.argSort(flat, 0);
    MlxArray back = mlx.argSort(order, 0);
    MlxArray chosen = mlx.array(new int[] {args.chosen()}, MlxType.UINT32, 1);
    MlxArray in = mlx.reshape(mlx.take(x, mlx.floorDivide(order, chosen), 0), slots, 1, hidden);
    MlxArray ascending = mlx.take(flat, order, 0);
    MlxArray inner = inner(in, null, ascending, true);
    return mlx.take(MlxMatrix.of(args.downProj()).gather(inner, null, ascending, true), back, 0);
  }

  private MlxArray inner(MlxArray in, @Nullable MlxArray left, MlxArray experts, boolean sorted) {
    return swiglu(
        MlxMatrix.of(args.gateProj()).gather(in, left, experts, sorted),
        MlxMatrix.of(args.upProj()).gather(in, left, experts, sorted));
  }

  private MlxArray swiglu(MlxArray gate, MlxArray up) {
    return swiglu.apply(gate, up)[0];
  }

  /** silu(gate) * up. */
  static MlxArray swiglu(Mlx mlx, MlxArray gate, MlxArray up) {
    return mlx.multiply(mlx.multiply(gate, mlx.sigmoid(gate)), up);
  }
}
