/* warnings.h - what a run's own figures say against it.
 *
 * On a quiet machine there is nothing to say. Otherwise other programs had part of the cores,
 * threads shared cores, or a row beat a limit, which was then measured too low. Nothing here
 * changes a figure or hides a row, and nothing is put into words.
 */
#ifndef ATTEND_BENCH_WARNINGS_H
#define ATTEND_BENCH_WARNINGS_H

#include "bench/results.h"

typedef enum WarningKind {
  WARNING_CONTENTION,    /* others had `figure` of the cores' time */
  WARNING_FEW_CORES,     /* `threads` are more than the cores */
  WARNING_SHARED_CORES,  /* the FMA peak of `threads` is `figure` times that of one */
  WARNING_SLOW_SGEMM,    /* the same of sgemm: no cause is known */
  WARNING_PEAK_BEATEN,   /* by sgemm on `threads` */
  WARNING_PEAK_EXCEEDED, /* `row` has `figure` of the FMA peak */
  WARNING_READ_EXCEEDED, /* `row` has `figure` of the read bandwidth */
} WarningKind;

typedef struct Warning {
  WarningKind kind;
  size_t threads;
  double figure;
  const BenchRow *row;
} Warning;

/* One on the other programs, one on the threads, one on the limits. */
#define WARNINGS_MAX 3

typedef struct Warnings {
  size_t count;
  Warning items[WARNINGS_MAX];
} Warnings;

Warnings run_warnings(const BenchRun *run);

/* Whether sgemm or a row was faster than the FMA peak, or a row read more than memory gives: the
 * limit was measured at a bad moment, and it pays to measure it again. */
bool run_beats_limits(const BenchRun *run);

#endif
