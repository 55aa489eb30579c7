/* measure.h - times the paths of one workload against each other.
 *
 * The samples of a group are taken in turns, A B C A B C, so that a disturbance of the machine hits
 * all paths alike and their ratio can be trusted where their times cannot. Before the first sample
 * each path runs once untimed, and the output of that run is held against the oracle.
 */
#ifndef ATTEND_BENCH_MEASURE_H
#define ATTEND_BENCH_MEASURE_H

#include "bench/progress.h"
#include "bench/verify.h"
#include "bench/workload.h"

/* How fast a path was at the last length at which it ran; the next length is predicted from it. */
typedef struct PathRate {
  double flops_per_second; /* 0: never ran */
  size_t tokens;
} PathRate;

/* What the rows of one group share. */
typedef struct MeasureGroup {
  const BenchConfig *config;
  const Workload *workload;
  AttendIsa isa_best;   /* what AUTO takes in fp32 */
  Reference *reference; /* zero until the first path needs it; shared by later groups */
  PathRate *rates;      /* [path_count] of this model and number of threads */
  BenchRow *rows;       /* [path_count] */
  BenchProgress *progress;
} MeasureGroup;

/* Fills the rows. An interrupt leaves rows without samples pending. */
void measure_group(const MeasureGroup *group);

#endif
