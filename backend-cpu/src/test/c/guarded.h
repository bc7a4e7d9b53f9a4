/*
 * Memory between two pages that nobody may touch, so that a read or write one byte too far ends
 * the test. At its end the block touches the second page, at its start the first.
 */
#ifndef QNEXT_TEST_GUARDED_H
#define QNEXT_TEST_GUARDED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum place { AT_END, AT_START, PLACES };

struct guarded {
  uint8_t *map;
  size_t map_bytes;
  uint8_t *bytes;
};

static inline struct guarded guarded_new(size_t bytes, enum place place) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t inner = (bytes + page - 1) / page * page;
  struct guarded block = {.map_bytes = inner + 2 * page};
  block.map = mmap(NULL, block.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block.map == MAP_FAILED || (inner > 0 && mprotect(block.map + page, inner, PROT_READ | PROT_WRITE) != 0)) {
    perror("guarded memory");
    exit(2);
  }
  block.bytes = block.map + page + (place == AT_END ? inner - bytes : 0);
  return block;
}

/* From now on nobody may write to it either. */
static inline void guarded_seal(const struct guarded *block) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (block->map_bytes > 2 * page && mprotect(block->map + page, block->map_bytes - 2 * page, PROT_READ) != 0) {
    perror("guarded memory");
    exit(2);
  }
}

static inline void guarded_free(struct guarded *block) {
  if (block->map != NULL) {
    munmap(block->map, block->map_bytes);
  }
  *block = (struct guarded){0};
}

#endif
