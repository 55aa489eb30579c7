/* warnings.h - what a run's own figures say against it.
 *
 * On a quiet machine there is nothing to say. Else a sentence each: other programs had part of the
 * cores, threads had no core each, or a limit was beaten, so that it is none. Nothing here changes
 * a figure or hides a row.
 */
#ifndef BENCH_WARNINGS_H
#define BENCH_WARNINGS_H

#include "bench/results.h"

#define DOUBTS_MAX 4
#define DOUBT_SIZE 256

typedef struct Doubts {
  size_t count;
  char sentences[DOUBTS_MAX][DOUBT_SIZE];
} Doubts;

void run_warnings(const BenchRun *run, Doubts *warnings);

/* Whether sgemm or a row was faster than the FMA peak, or a row read more than memory gives: the
 * limit was measured at a bad moment, and it pays to measure it again. */
bool run_beats_limits(const BenchRun *run);

#endif
