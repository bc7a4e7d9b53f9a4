/* Keys and values of one attention layer: pages of tiles (layer.h), shared by forks until written. */
#ifndef QNEXT_KV_H
#define QNEXT_KV_H

#include "layer.h"
#include "operations.h"

/* Positions of a page, and of a span: attention to a span is one sum, spans are joined in order. */
#define QN_PAGE 256
#define QN_PAGE_TILES (QN_PAGE / QN_TILE)

/* Room for positions first to first + count - 1, and no other cache's pages there. */
int qn_kv_own(struct qn_kv *kv, int32_t first, int32_t count);

/* The tiles of a head in a page, one behind the other. */
uint16_t *qn_kv_tiles(const struct qn_kv *kv, int32_t page, int32_t kv_head);

#endif
