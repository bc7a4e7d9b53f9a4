/*
 * The thread pool: every job once, never two at a time for one thread number, all done when
 * qn_pool_run returns; with workers that spin, that have gone to sleep, and that just woke up.
 */
#include "../../main/c/pool.h"
#include "random.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_JOBS 500
#define MOST_THREADS 8

struct round {
  int32_t threads;
  int32_t plain[MOST_JOBS]; /* written without atomics: what the pool promises must suffice */
  atomic_int done[MOST_JOBS];
  atomic_int busy[MOST_THREADS];
  atomic_int wrong;
};

static void job(void *argument, int32_t number, int32_t thread) {
  struct round *round = argument;
  if (thread < 0 || thread >= round->threads || atomic_fetch_add(&round->busy[thread], 1) != 0) {
    atomic_fetch_add(&round->wrong, 1);
    return;
  }
  round->plain[number] = number + 1;
  for (volatile int i = 0; i < number % 7 * 50; i++) {
  }
  atomic_fetch_add(&round->done[number], 1);
  atomic_fetch_sub(&round->busy[thread], 1);
}

static int run_rounds(int32_t threads, int32_t rounds, struct rng *r) {
  struct qn_pool *pool = qn_pool_new(threads);
  if (pool == NULL || qn_pool_threads(pool) != threads) {
    fprintf(stderr, "no pool of %d threads\n", threads);
    return 1;
  }
  struct round *round = calloc(1, sizeof *round);
  int failed = 0;
  for (int32_t i = 0; i < rounds && !failed; i++) {
    int32_t count = random_below(r, 4) == 0 ? random_below(r, MOST_JOBS + 1) : random_below(r, 10);
    memset(round, 0, sizeof *round);
    round->threads = threads;
    if (i % 100 < 5) {
      usleep(i % 2 == 0 ? 2000 : 100); /* long enough to fall asleep; about to */
    }
    qn_pool_run(pool, count, job, round);
    failed = atomic_load(&round->wrong) != 0;
    for (int32_t j = 0; j < MOST_JOBS; j++) {
      int32_t expected = j < count;
      if (atomic_load(&round->done[j]) != expected || round->plain[j] != (expected ? j + 1 : 0)) {
        fprintf(stderr, "threads %d, round %d of %d jobs: job %d ran %d times\n", threads, i, count, j,
                atomic_load(&round->done[j]));
        failed = 1;
        break;
      }
    }
  }
  free(round);
  qn_pool_free(pool);
  return failed;
}

/* pool_test ROUNDS */
int main(int argc, char **argv) {
  int32_t rounds = argc > 1 ? atoi(argv[1]) : 2000;
  struct rng r = {1};
  int failed = 0;
  for (int32_t threads = 1; threads <= MOST_THREADS; threads++) {
    failed |= run_rounds(threads, rounds, &r);
  }
  for (int32_t i = 0; i < 50; i++) {
    failed |= run_rounds(random_between(&r, 1, MOST_THREADS), random_below(&r, 3), &r);
  }
  printf("pool: 1 to %d threads, %d rounds each%s\n", MOST_THREADS, rounds, failed ? ": FAILED" : "");
  return failed;
}
