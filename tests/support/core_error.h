/* core_error.h - by how much the output of a core problem is off, as one number. */
#ifndef ATTEND_TESTS_SUPPORT_CORE_ERROR_H
#define ATTEND_TESTS_SUPPORT_CORE_ERROR_H

#include "tests/support/core_problem.h"

/* The largest error of an output [B, Nq, Hq, Dv] against what the oracle expects; infinite if there
 * is a NaN in it. */
double largest_error(const CoreProblem *problem, const double *out);

/* The same of what an engine computes. */
double engine_error(const CoreProblem *problem, Engine engine, size_t threads);

/* The largest of the derived bounds of all elements, in the precision that the oracle was last
 * asked about. Never more than the distance of the largest value from its opposite, which is what
 * an output can be off when its scores say nothing any more. Not for ragged batches. */
double largest_bound(const CoreProblem *problem);

#endif
