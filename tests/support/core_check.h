/* core_check.h - runs core problems on the library's engines and compares them with the oracle. */
#ifndef ATTEND_TESTS_SUPPORT_CORE_CHECK_H
#define ATTEND_TESTS_SUPPORT_CORE_CHECK_H

#include "tests/support/core_problem.h"

/* The most that rounding alone makes of output element `at`, which belongs to `row`, in the
 * precision that the oracle was last asked about. */
double problem_row_bound(const CoreProblem *problem, const OracleRow *row, size_t at);

/* Runs the problem on a context and compares output and LSE with what the oracle expects; checks
 * that nothing but the output's elements was written. True if all is as expected; else the text
 * says what is not, and where. */
#define DIFFERENCE_SIZE 256
bool problem_matches(const CoreProblem *problem, AttendContext *context,
                     char text[static DIFFERENCE_SIZE]);

/* The same as part of a test, which fails with the difference and the case. */
void problem_check(const CoreProblem *problem, AttendContext *context, Engine engine,
                   size_t threads);

/* Opens a context for the engine, checks, closes. */
void problem_check_engine(const CoreProblem *problem, Engine engine, size_t threads);

/* Expects and checks on tiled engines in all precisions of bf16, the last and another one (if
 * there are several) in turn, with `threads` threads. */
void problem_check_precisions(CoreProblem *problem, size_t threads);

/* Expects, checks on all engines that take the problem, in all precisions, and frees it. */
void problem_check_all(CoreProblem *problem, size_t threads);

/* Builds the case and does the same. */
void check_case(const CoreCase *spec, size_t threads);

#endif
