/*
 * A table that only has what is no product with weights, so that this can be tested for an
 * instruction set whose products are not there: -DQN_SOURCE='"..."' -DQN_TABLE=qn_plain
 * -DQN_TABLE_NAME='"plain"'.
 */
#include QN_SOURCE

#include "../../main/c/kernels/layer.c"

const struct qn_kernels QN_TABLE = {.name = QN_TABLE_NAME, .layer = &layer_kernels};
