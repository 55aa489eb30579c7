/* sweep.h - goes through all rows of a run.
 *
 * Models are taken one after the other, so that one model's weights are in memory at a time, and
 * lengths in ascending order within a model, so that a shorter length predicts the next one.
 */
#ifndef ATTEND_BENCH_SWEEP_H
#define ATTEND_BENCH_SWEEP_H

#include "bench/progress.h"

/* Lists the rows of the run, all pending. False if memory is missing; the run is then zero. */
bool sweep_open(const BenchConfig *config, BenchRun *run);

/* Measures yardsticks and rows, and verifies. Ends early, with the run marked as interrupted, once
 * interrupt_seen(): the caller has called interrupt_catch(). */
void sweep_measure(BenchRun *run, BenchProgress *progress);

void sweep_close(BenchRun *run);

#endif
