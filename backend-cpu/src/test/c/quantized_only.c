/*
 * A table that only has products with integers, while its other half (lanes, floats.c, layer.c) is
 * not there: -DQN_SOURCE='"..."' -DQN_PREFIX=plain -DQN_TABLE=qn_plain -DQN_TABLE_NAME='"plain"'.
 */
#include QN_SOURCE

#define JOIN(A, B) A##B
#define NAMED(PREFIX, FUNCTION) JOIN(PREFIX, FUNCTION)

const struct qn_kernels QN_TABLE = {
    .name = QN_TABLE_NAME,
    .quantize = NAMED(QN_PREFIX, _quantize),
    .multiply = NAMED(QN_PREFIX, _multiply),
};
