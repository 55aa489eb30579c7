/* timer.h - the one clock of the benchmark.
 *
 * Seconds of a clock that never steps back. Only differences mean anything.
 */
#ifndef ATTEND_BENCH_TIMER_H
#define ATTEND_BENCH_TIMER_H

#include <time.h>

static inline double timer_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
