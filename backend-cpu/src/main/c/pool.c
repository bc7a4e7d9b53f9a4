#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__x86_64__)
#define RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("yield")
#else
#define RELAX() ((void)0)
#endif

/* Between two operations of a layer pass a few microseconds; between two tokens of a conversation
 * that waits for its user, minutes. About 100 microseconds of spinning tell the two apart. */
#define SPINS 4000

struct worker {
  struct qn_pool *pool;
  pthread_t thread;
  int32_t number;
};

/* Jobs that no thread has taken yet: next <= job < end. On a cache line of its own. */
struct range {
  _Alignas(64) atomic_int next;
  int32_t end;
};

struct qn_pool {
  int32_t threads;
  struct worker *workers;
  struct range *ranges; /* [threads] */

  qn_job job;
  void *argument;

  /* Counts calls; a worker waits for it to change. */
  _Alignas(64) atomic_uint round;
  _Alignas(64) atomic_int working;
  _Alignas(64) atomic_int asleep;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  int stop;
};

/* A thread's own range first, then what the others have left. */
static void work(struct qn_pool *pool, int32_t thread) {
  for (int32_t i = 0; i < pool->threads; i++) {
    struct range *range = &pool->ranges[(thread + i) % pool->threads];
    int32_t job;
    while ((job = atomic_fetch_add_explicit(&range->next, 1, memory_order_relaxed)) < range->end) {
      pool->job(pool->argument, job, thread);
    }
  }
}

static unsigned await_round(struct qn_pool *pool, unsigned seen) {
  unsigned round;
  for (int i = 0; i < SPINS; i++) {
    round = atomic_load_explicit(&pool->round, memory_order_acquire);
    if (round != seen) {
      return round;
    }
    RELAX();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->asleep, 1);
  while ((round = atomic_load(&pool->round)) == seen) {
    pthread_cond_wait(&pool->wake, &pool->mutex);
  }
  atomic_fetch_sub(&pool->asleep, 1);
  pthread_mutex_unlock(&pool->mutex);
  return round;
}

static void *run(void *argument) {
  struct worker *self = argument;
  struct qn_pool *pool = self->pool;
  unsigned seen = 0;
  for (;;) {
    seen = await_round(pool, seen);
    if (pool->stop) {
      return NULL;
    }
    work(pool, self->number);
    atomic_fetch_sub_explicit(&pool->working, 1, memory_order_release);
  }
}

/* Starts a round; sleepers are woken, spinners see it by themselves. */
static void start(struct qn_pool *pool) {
  atomic_fetch_add(&pool->round, 1);
  if (atomic_load(&pool->asleep) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
  }
}

int32_t qn_pool_first(const struct qn_pool *pool, int32_t thread, int32_t count) {
  return (int32_t)((int64_t)count * thread / pool->threads);
}

void qn_pool_run(struct qn_pool *pool, int32_t count, qn_job job, void *argument) {
  if (pool->threads == 1 || count == 1) {
    for (int32_t i = 0; i < count; i++) {
      job(argument, i, 0);
    }
    return;
  }
  pool->job = job;
  pool->argument = argument;
  for (int32_t i = 0; i < pool->threads; i++) {
    pool->ranges[i].end = qn_pool_first(pool, i + 1, count);
    atomic_store_explicit(&pool->ranges[i].next, qn_pool_first(pool, i, count), memory_order_relaxed);
  }
  atomic_store_explicit(&pool->working, pool->threads - 1, memory_order_relaxed);
  start(pool);
  work(pool, 0);
  /* All jobs are taken; who was asleep must still come and see that, or the next round's start
   * would find it in this one. */
  while (atomic_load_explicit(&pool->working, memory_order_acquire) > 0) {
    RELAX();
  }
}

int32_t qn_pool_threads(const struct qn_pool *pool) { return pool->threads; }

struct qn_pool *qn_pool_new(int32_t threads) {
  struct qn_pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
  if (pool == NULL) {
    return NULL;
  }
  *pool = (struct qn_pool){.threads = 1};
  pool->workers = calloc((size_t)threads, sizeof *pool->workers);
  pool->ranges = aligned_alloc(64, (size_t)threads * sizeof *pool->ranges);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  while (pool->workers != NULL && pool->ranges != NULL && pool->threads < threads) {
    struct worker *worker = &pool->workers[pool->threads];
    worker->pool = pool;
    worker->number = pool->threads;
    if (pthread_create(&worker->thread, NULL, run, worker) != 0) {
      break;
    }
    pool->threads++;
  }
  if (pool->threads < threads) {
    qn_pool_free(pool);
    return NULL;
  }
  return pool;
}

void qn_pool_free(struct qn_pool *pool) {
  pool->stop = 1;
  start(pool);
  for (int32_t i = 1; i < pool->threads; i++) {
    pthread_join(pool->workers[i].thread, NULL);
  }
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  free(pool->ranges);
  free(pool->workers);
  free(pool);
}
