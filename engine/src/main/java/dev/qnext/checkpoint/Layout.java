package dev.qnext.checkpoint;

import java.util.List;

/** All weights that a model needs, in the order in which they are used. */
public record Layout(List<WeightSpec> weights) {
  public Layout {
    weights = List.copyOf(weights);
  }
}
