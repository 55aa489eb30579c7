/* progress.h - how far a run is and what it does now, for whoever shows it.
 *
 * The benchmark counts and calls; nothing is printed or put into words here. A call takes long only
 * on a terminal that is slow to draw, so short samples are announced once and not each.
 */
#ifndef ATTEND_BENCH_PROGRESS_H
#define ATTEND_BENCH_PROGRESS_H

#include "bench/results.h"

typedef enum BenchStep {
  BENCH_STEP_LIMITS,  /* yardsticks with `number` threads */
  BENCH_STEP_WEIGHTS, /* of the row's model */
  BENCH_STEP_INPUTS,  /* of the row's model and length; also of the next two */
  BENCH_STEP_ORACLE,
  BENCH_STEP_WARM_UP, /* of the row */
  BENCH_STEP_SAMPLE,  /* `number` of the row, from 1 */
  BENCH_STEP_KERNEL,  /* `kernel` at `size`, which is null where the family has no timing */
} BenchStep;

typedef struct BenchMoment {
  BenchStep step;
  size_t number;
  const BenchRow *row;
  const char *kernel, *size;
} BenchMoment;

typedef struct BenchProgress {
  /* Called at every step; null: nobody looks. */
  void (*show)(const struct BenchProgress *progress, const BenchMoment *moment);
  void *display;      /* what show() needs */
  size_t done, total; /* rows; the run sets both */
} BenchProgress;

static inline void progress_show(const BenchProgress *progress, BenchMoment moment) {
  if (progress->show) progress->show(progress, &moment);
}

#endif
