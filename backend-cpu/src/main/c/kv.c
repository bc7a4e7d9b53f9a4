#include "kv.h"

#include <stdlib.h>
#include <string.h>

struct page {
  int32_t owners;
  _Alignas(64) uint16_t tiles[]; /* [kv_heads, QN_PAGE_TILES, tile] */
};

struct qn_kv {
  int32_t kv_heads;
  int32_t head_dim;
  int32_t count;
  int32_t room;
  struct page **pages;
};

static size_t tile_bytes(const struct qn_kv *kv) {
  return (size_t)kv->kv_heads * QN_PAGE_TILES * (size_t)qn_tile_numbers(kv->head_dim) * sizeof(uint16_t);
}

static struct page *new_page(const struct qn_kv *kv) {
  size_t bytes = (sizeof(struct page) + tile_bytes(kv) + 63) / 64 * 64;
  struct page *page = aligned_alloc(64, bytes);
  if (page != NULL) {
    page->owners = 1;
  }
  return page;
}

static void release(struct page *page) {
  if (--page->owners == 0) {
    free(page);
  }
}

struct qn_kv *qn_kv_new(int32_t kv_heads, int32_t head_dim) {
  struct qn_kv *kv = calloc(1, sizeof *kv);
  if (kv != NULL) {
    kv->kv_heads = kv_heads;
    kv->head_dim = head_dim;
  }
  return kv;
}

void qn_kv_truncate(struct qn_kv *kv, int32_t length) {
  int32_t count = length / QN_PAGE + (length % QN_PAGE != 0);
  while (kv->count > count) {
    release(kv->pages[--kv->count]);
  }
}

void qn_kv_free(struct qn_kv *kv) {
  qn_kv_truncate(kv, 0);
  free(kv->pages);
  free(kv);
}

static int add_page(struct qn_kv *kv) {
  if (kv->count == kv->room) {
    int32_t room = kv->room == 0 ? 4 : 2 * kv->room;
    struct page **pages = realloc(kv->pages, (size_t)room * sizeof *pages);
    if (pages == NULL) {
      return QN_NO_MEMORY;
    }
    kv->pages = pages;
    kv->room = room;
  }
  struct page *page = new_page(kv);
  if (page == NULL) {
    return QN_NO_MEMORY;
  }
  /* Places not yet written are read with their neighbours, and then ignored. */
  memset(page->tiles, 0, tile_bytes(kv));
  kv->pages[kv->count++] = page;
  return QN_OK;
}

static int unshare(struct qn_kv *kv, int32_t i) {
  if (kv->pages[i]->owners == 1) {
    return QN_OK;
  }
  struct page *own = new_page(kv);
  if (own == NULL) {
    return QN_NO_MEMORY;
  }
  memcpy(own->tiles, kv->pages[i]->tiles, tile_bytes(kv));
  release(kv->pages[i]);
  kv->pages[i] = own;
  return QN_OK;
}

int qn_kv_own(struct qn_kv *kv, int32_t first, int32_t count) {
  int32_t last = (first + count - 1) / QN_PAGE;
  int status = QN_OK;
  for (int32_t i = first / QN_PAGE; i < kv->count && i <= last && status == QN_OK; i++) {
    status = unshare(kv, i);
  }
  while (kv->count <= last && status == QN_OK) {
    status = add_page(kv);
  }
  return status;
}

struct qn_kv *qn_kv_fork(const struct qn_kv *kv, int32_t length) {
  struct qn_kv *fork = qn_kv_new(kv->kv_heads, kv->head_dim);
  if (fork == NULL) {
    return NULL;
  }
  int32_t count = length / QN_PAGE + (length % QN_PAGE != 0);
  fork->pages = calloc((size_t)(count == 0 ? 1 : count), sizeof *fork->pages);
  if (fork->pages == NULL) {
    free(fork);
    return NULL;
  }
  fork->room = count == 0 ? 1 : count;
  for (; fork->count < count; fork->count++) {
    fork->pages[fork->count] = kv->pages[fork->count];
    fork->pages[fork->count]->owners++;
  }
  return fork;
}

int64_t qn_kv_bytes(const struct qn_kv *kv) {
  return (int64_t)kv->count * (int64_t)(sizeof(struct page) + tile_bytes(kv)) +
         (int64_t)kv->room * (int64_t)sizeof(struct page *);
}

uint16_t *qn_kv_tiles(const struct qn_kv *kv, int32_t page, int32_t kv_head) {
  return kv->pages[page]->tiles + kv_head * QN_PAGE_TILES * qn_tile_numbers(kv->head_dim);
}

/* Where a position's key begins, and its value; the key's next number is 16 on, the value's next
 * sixteen numbers a row of tile places on. */
static uint16_t *key_at(const struct qn_kv *kv, int32_t position, int32_t kv_head) {
  int32_t place = position % QN_TILE;
  return qn_kv_tiles(kv, position / QN_PAGE, kv_head) +
         position % QN_PAGE / QN_TILE * qn_tile_numbers(kv->head_dim) +
         (int64_t)(place / QN_LANES) * kv->head_dim * QN_LANES + place % QN_LANES;
}

static uint16_t *value_at(const struct qn_kv *kv, int32_t position, int32_t kv_head) {
  return qn_kv_tiles(kv, position / QN_PAGE, kv_head) +
         position % QN_PAGE / QN_TILE * qn_tile_numbers(kv->head_dim) + (int64_t)QN_TILE * kv->head_dim +
         position % QN_TILE * QN_LANES;
}

static int64_t value_offset(int32_t d) { return (int64_t)(d / QN_LANES) * QN_TILE * QN_LANES + d % QN_LANES; }

int qn_kv_export(const struct qn_kv *kv, int32_t first, int32_t count, void *to) {
  uint8_t *out = to;
  for (int32_t p = first; p < first + count; p++) {
    for (int32_t h = 0; h < kv->kv_heads; h++) {
      const uint16_t *key = key_at(kv, p, h);
      for (int32_t d = 0; d < kv->head_dim; d++, out += sizeof *key) {
        memcpy(out, key + d * QN_LANES, sizeof *key);
      }
    }
    for (int32_t h = 0; h < kv->kv_heads; h++) {
      const uint16_t *value = value_at(kv, p, h);
      for (int32_t d = 0; d < kv->head_dim; d++, out += sizeof *value) {
        memcpy(out, value + value_offset(d), sizeof *value);
      }
    }
  }
  return QN_OK;
}

int qn_kv_import(struct qn_kv *kv, int32_t first, int32_t count, const void *from) {
  if (count == 0) {
    return QN_OK;
  }
  int status = qn_kv_own(kv, first, count);
  if (status != QN_OK) {
    return status;
  }
  const uint8_t *in = from;
  for (int32_t p = first; p < first + count; p++) {
    for (int32_t h = 0; h < kv->kv_heads; h++) {
      uint16_t *key = key_at(kv, p, h);
      for (int32_t d = 0; d < kv->head_dim; d++, in += sizeof *key) {
        memcpy(key + d * QN_LANES, in, sizeof *key);
      }
    }
    for (int32_t h = 0; h < kv->kv_heads; h++) {
      uint16_t *value = value_at(kv, p, h);
      for (int32_t d = 0; d < kv->head_dim; d++, in += sizeof *value) {
        memcpy(value + value_offset(d), in, sizeof *value);
      }
    }
  }
  return QN_OK;
}
