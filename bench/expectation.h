/* expectation.h - rows of a workload's output in float64, one by one.
 *
 * The oracle is that of the tests and shares no code with the library. The rows of a sequence share
 * its keys after norm and RoPE. Each key that a row sees is formed once and kept, and no other key
 * is formed.
 */
#ifndef ATTEND_BENCH_EXPECTATION_H
#define ATTEND_BENCH_EXPECTATION_H

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
 * is missing or cancelled(), which is asked now and then, returns true. */
bool expectation_row(Expectation *expectation, size_t sequence, size_t query,
                     bool (*cancelled)(void), double *values);

/* Multiply-adds of a row, without those for keys that are formed once. */
double expectation_row_cost(const Workload *workload);

#endif
