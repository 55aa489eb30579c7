/* parallel.h - the only user of omp_*: how many threads there are, and loops over them.
 *
 * Inside a host's own parallel region everything runs on the calling thread, so that two levels of
 * threads never multiply; so it does in the child of a fork that has lost its threads. A loop body
 * gets its thread's number, below the number asked for.
 */
#ifndef ATTEND_SRC_PLATFORM_PARALLEL_H
#define ATTEND_SRC_PLATFORM_PARALLEL_H

#include <omp.h>
#include <stdbool.h>
#include <stddef.h>

#include "platform/fork_guard.h"

/* Threads that OpenMP would take here (OMP_NUM_THREADS, else the cores of the process). */
static inline size_t parallel_default_threads(void) {
  return (size_t)omp_get_max_threads();
}

static inline void parallel_set_default_threads(size_t threads) {
  omp_set_num_threads((int)threads);
}

/* Cores this process may run on. */
static inline size_t parallel_cores(void) {
  return (size_t)omp_get_num_procs();
}

/* Whether OpenMP may take fewer threads than asked for. */
static inline bool parallel_is_dynamic(void) {
  return omp_get_dynamic();
}

static inline void parallel_set_dynamic(bool dynamic) {
  omp_set_dynamic(dynamic);
}

static inline size_t parallel_allowed(size_t threads) {
  if (omp_in_parallel() || fork_guard_lost_threads()) return 1;
  const size_t limit = (size_t)omp_get_thread_limit();
  return threads < limit ? threads : limit;
}

/* Multiply-adds below which waking another thread takes longer than they do: 1 to 5 us. */
#define PARALLEL_LEAST_WORK 65536.0

/* The threads that so much work is worth. */
static inline size_t parallel_worth(size_t threads, double multiply_adds) {
  return multiply_adds < PARALLEL_LEAST_WORK ? 1 : threads;
}

typedef void (*ParallelBody)(void *argument, size_t index, size_t thread);

/* body(argument, i, thread) for every i < count, each index taken by the next free thread in rising
 * order: put the longest work first. Returns the threads that there were for it, at least 1. */
static inline size_t parallel_for(size_t threads, size_t count, ParallelBody body, void *argument) {
  const size_t allowed = parallel_allowed(threads < count ? threads : count);
  if (allowed <= 1) {
    for (size_t i = 0; i < count; i++) body(argument, i, 0);
    return 1;
  }
#pragma omp parallel for num_threads((int)allowed) schedule(dynamic, 1)
  for (size_t i = 0; i < count; i++) body(argument, i, (size_t)omp_get_thread_num());
  return allowed;
}

#endif
