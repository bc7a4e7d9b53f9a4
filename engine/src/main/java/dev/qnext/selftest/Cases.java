package dev.qnext.selftest;

import java.util.ArrayList;
import java.util.List;

/** All cases, and the weights that they take. */
record Cases(RandomWeights weights, List<Case> cases) {
  static Cases all() {
    RandomWeights weights = new RandomWeights();
    List<Case> cases = new ArrayList<>();
    ProjectionCases.add(weights, cases);
    ElementCases.add(weights, cases);
    MixerCases.add(weights, cases);
    StateCases.add(weights, cases);
    ExpertCases.add(weights, cases);
    SampleCases.add(weights, cases);
    return new Cases(weights, cases);
  }
}
