/* The rest of a layer on one thread: see layer.h. Written on lanes, for every instruction set. */
#include "../layer.h"

#include "elements.c"

#include "attention.c"
#include "delta.c"

static const struct qn_layer_kernels layer_kernels = {
    .dot = elements_dot,
    .add_norm = elements_add_norm,
    .swiglu = elements_swiglu,
    .sigmoid = elements_sigmoid,
    .weighted_sum = elements_weighted_sum,
    .top = elements_top,
    .exponential_sum = elements_exponential_sum,
    .exponentials = elements_exponentials,
    .norm_and_turn = attention_norm_and_turn,
    .append = attention_append,
    .attend = attention_attend,
    .join = attention_join,
    .gate = attention_gate,
    .delta_blocks = DELTA_BLOCKS,
    .convolve = delta_convolve,
    .l2_norm = delta_l2_norm,
    .decays = delta_decays,
    .delta_step = delta_step,
    .delta_output = delta_output,
    .gated_norm = delta_gated_norm,
};
