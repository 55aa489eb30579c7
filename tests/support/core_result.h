/* core_result.h - what a core call gave, to be compared bit by bit with what another one gave. */
#ifndef ATTEND_TESTS_SUPPORT_CORE_RESULT_H
#define ATTEND_TESTS_SUPPORT_CORE_RESULT_H

#include "tests/support/core_problem.h"

/* Dense results of one run: out [B, Nq, Hq, Dv], lse [B, Hq, Nq]. */
typedef struct Result {
  float *out, *lse;
  size_t out_floats, lse_floats;
} Result;

void result_free(Result *result);

/* Runs a core call into new memory. */
Result core_run(AttendContext *context, const AttendShape *shape, AttendView query, AttendView key,
                AttendView value, const AttendOptions *options);
Result core_run_problem(const CoreProblem *problem, Engine engine, size_t threads);

/* Fails with the case unless the row of `got` at query token i is that of `expected` at token
 * at. */
void same_row(const char *label, const AttendShape *got_shape, const Result *got, size_t batch,
              size_t i, const AttendShape *expected_shape, const Result *expected,
              size_t expected_batch, size_t at);

/* The same for all rows of two results of one shape. */
void same_result(const char *label, const AttendShape *shape, const Result *got,
                 const Result *expected);

/* Calls check(problem, engine) for every case and tiled engine. */
void core_run_cases(const CoreCase *cases, size_t case_count,
                    void (*check)(const CoreProblem *problem, Engine engine));

/* Fails unless 2, 3, 5 and 8 threads give what one gives. */
void same_with_any_threads(const CoreProblem *problem, Engine engine);

#endif
