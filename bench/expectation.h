/* expectation.h - rows of a workload's output in float64, one by one.
 *
 * The oracle is that of the tests and shares no code with the library. What rows of a sequence have
 * in common, its keys after norm and RoPE, is formed once and kept: of every key that a row sees,
 * and of no other.
 */
#ifndef BENCH_EXPECTATION_H
#define BENCH_EXPECTATION_H

#include "bench/workload.h"

typedef struct Expectation {
  const Workload *workload;
  double *keys; /* [new tokens, Hk, D] of `sequence`; null unless a layer's rows need them */
  size_t sequence;
  size_t formed_end; /* keys up to here are formed, from where the rows so far began to see */
} Expectation;

/* False if memory is missing. */
bool expectation_open(const Workload *workload, Expectation *expectation);
void expectation_close(Expectation *expectation);

/* The row [width] of a query of a sequence. Rows are asked for in ascending order. False if memory
 * is missing, or if *cancelled says so, which is looked at now and then. */
bool expectation_row(Expectation *expectation, size_t sequence, size_t query,
                     bool (*cancelled)(void), double *values);

/* Multiply-adds of a row, without those for keys that are formed once. */
double expectation_row_cost(const Workload *workload);

#endif
