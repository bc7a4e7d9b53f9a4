package dev.qnext.backend;

/**
 * Mixture of experts: the sizes and weights of {@link Backend#experts}.
 *
 * @param gate the router, [experts, hidden]
 * @param renormalise divide the chosen probabilities by their sum ({@code norm_topk_prob})
 * @param gateProj all routed experts' gate projections, [experts, inner, hidden]; {@code upProj}
 *     likewise
 * @param downProj [experts, hidden, inner]
 * @param sharedExpertGate [1, hidden]
 */
public record ExpertArgs(
    int experts,
    int chosen,
    boolean renormalise,
    Weight gate,
    Weight gateProj,
    Weight upProj,
    Weight downProj,
    Weight sharedGateProj,
    Weight sharedUpProj,
    Weight sharedDownProj,
    Weight sharedExpertGate) {}
