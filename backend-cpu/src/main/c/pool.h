/*
 * A fixed set of threads that share out jobs. The calling thread works too; the others spin for a
 * moment between calls and then sleep, so an idle engine takes no processor time.
 */
#ifndef QNEXT_POOL_H
#define QNEXT_POOL_H

#include <stdint.h>

struct qn_pool;

/* One job; "thread" < threads names who does it, for scratch memory. */
typedef void (*qn_job)(void *argument, int32_t job, int32_t thread);

/* NULL if a thread cannot be made. */
struct qn_pool *qn_pool_new(int32_t threads);

int32_t qn_pool_threads(const struct qn_pool *pool);

/*
 * Runs jobs 0 to count - 1, each once, and returns when all are done. Each thread takes one share of
 * neighbouring jobs in order, so that it reads on where it stopped, and then from the shares of
 * threads that are behind.
 */
void qn_pool_run(struct qn_pool *pool, int32_t count, qn_job job, void *argument);

/* The first job of a thread's share of "count" jobs; that of thread "threads" is count. */
int32_t qn_pool_first(const struct qn_pool *pool, int32_t thread, int32_t count);

void qn_pool_free(struct qn_pool *pool);

#endif
